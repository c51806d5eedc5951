import { closeSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from '@jest/globals';
import { cutLog, openLog, readLastLines } from './log-file';

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

it('a log that is too long is put aside while its process goes on writing, and only the last such is kept', () => {
  const file = openLog(path) ?? -1;
  for (const round of ['1', '2', '3']) {
    writeSync(file, `${round.repeat(100)}\n`);
    cutLog(path, 50);
    expect(readFileSync(path, 'utf8')).toBe('');
    writeSync(file, `after ${round}\n`);
    expect(readFileSync(path, 'utf8')).toBe(`after ${round}\n`);
    expect(readFileSync(`${path}.1`, 'utf8')).toContain(round.repeat(100));
  }
  closeSync(file);
  expect(existsSync(`${path}.2`)).toBe(false);
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
