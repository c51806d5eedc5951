import { closeSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from '@jest/globals';
import { cutLog, KEPT_LOGS, openLog, readLastLines } from './log-file';

let directory: string;
let path: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'python3-log-'));
  path = join(directory, 'x.log');
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

it('what a process said before its last start stays', () => {
  for (const words of ['first\n', 'second\n']) {
    const file = openLog(path) ?? -1;
    writeSync(file, words);
    closeSync(file);
  }
  expect(readFileSync(path, 'utf8')).toBe('first\nsecond\n');
});

it('a log that is too long is put aside while its process goes on writing, and the last few such are kept', () => {
  const file = openLog(path) ?? -1;
  const rounds = Array.from({ length: KEPT_LOGS + 2 }, (_, index) => String(index + 1));
  for (const round of rounds) {
    writeSync(file, `${round.repeat(100)}\n`);
    cutLog(path, 50);
    expect(readFileSync(path, 'utf8')).toBe('');
    writeSync(file, `after ${round}\n`);
    expect(readFileSync(path, 'utf8')).toBe(`after ${round}\n`);
    expect(readFileSync(`${path}.1`, 'utf8')).toContain(round.repeat(100));
  }
  closeSync(file);
  for (let number = 1; number <= KEPT_LOGS; number += 1)
    expect(readFileSync(`${path}.${number}`, 'utf8')).toContain((rounds.at(-number) ?? '?').repeat(100));
  expect(readdirSync(directory)).toHaveLength(1 + KEPT_LOGS);
});

it('a log that cannot be opened, cut or read keeps nothing from running', () => {
  expect(openLog(join(directory, 'no', 'folder'))).toBe(undefined);
  cutLog(join(directory, 'none'));
  expect(readLastLines(join(directory, 'none'), 5)).toBe('');
});

it('its last lines are read from its end', () => {
  writeFileSync(path, `${'x'.repeat(100_000)}\none\ntwo\nthree\n`);
  expect(readLastLines(path, 2)).toBe('two\nthree');
});
