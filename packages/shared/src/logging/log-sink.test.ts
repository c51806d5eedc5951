import { spawn } from 'node:child_process';
import { closeSync, mkdirSync, mkdtempSync, openSync, readFileSync, rmSync, statfsSync, unlinkSync, writeSync } from 'node:fs';
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from '@jest/globals';
import { itIf } from '../../../../test/support/optional';
import { waitFor } from '../../../../test/support/wait-for';

/** A process that logs a lot, says on its standard output how late its loop was, and ends when told to. */
const PROGRAM = `
const { createLogger, droppedLogLines } = require(${JSON.stringify(join(__dirname, '..', '..', 'dist'))});
const logger = createLogger('api', 'info');
let written = 0;
setInterval(() => { for (let line = 0; line < 50; line += 1) logger.info({ written: (written += 1) }, 'x'.repeat(200)); }, 5);
setInterval(() => process.stdout.write(JSON.stringify({ at: performance.now(), dropped: droppedLogLines() }) + '\\n'), 50);
process.on('SIGTERM', () => process.exit(0));
`;

let directory: string;
beforeEach(() => void (directory = mkdtempSync(join(tmpdir(), 'python3-log-'))));
afterEach(() => rmSync(directory, { recursive: true, force: true }));

interface Told {
  readonly at: number;
  readonly dropped: number;
}

function startLogging(stderr: number | 'pipe') {
  const child = spawn(process.execPath, ['-e', PROGRAM], { stdio: ['ignore', 'pipe', stderr] });
  let text = '';
  child.stdout?.on('data', (chunk: Buffer) => (text += chunk.toString()));
  const told = (): Told[] => text.split('\n').slice(0, -1).map((line) => JSON.parse(line) as Told); // prettier-ignore
  return { child, told, exit: once(child, 'exit') };
}

const tells = (told: () => Told[], lines: number): Promise<unknown> => {
  const before = told().length;
  return waitFor('it to go on', () => told().length >= before + lines);
};

it('a reader that reads nothing holds up neither the process nor its end, and what it missed is counted and told', async () => {
  const { child, told, exit } = startLogging('pipe');
  await waitFor('lines to be dropped', () => (told().at(-1)?.dropped ?? 0) > 0);
  await tells(told, 5);
  let log = '';
  child.stderr?.on('data', (chunk: Buffer) => (log += chunk.toString()));
  await waitFor('a line about them', () => log.includes('"droppedLines":'));
  child.stderr?.pause();
  const before = told().at(-1)?.dropped ?? 0;
  await waitFor('more to be dropped', () => (told().at(-1)?.dropped ?? 0) > before);
  child.kill('SIGTERM');
  expect(await exit).toEqual([0, null]);
  for (const line of log.split('\n').slice(0, -1)) JSON.parse(line);
});

it('a reader that is gone holds up nothing', async () => {
  const { child, told, exit } = startLogging('pipe');
  child.stderr?.destroy();
  await waitFor('lines to be dropped', () => (told().at(-1)?.dropped ?? 0) > 0);
  await tells(told, 5);
  child.kill('SIGTERM');
  expect(await exit).toEqual([0, null]);
});

const isRoot = process.getuid?.() === 0;
itIf(isRoot, 'mounting a small disk needs root')('a disk that is full holds up nothing; once there is room the log goes on, and says what is missing', async () => {
  mkdirSync(join(directory, 'disk'));
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', join(directory, 'disk')]);
  try {
    const path = join(directory, 'disk', 'log');
    const filler = openSync(join(directory, 'disk', 'filler'), 'w');
    writeSync(filler, Buffer.alloc(900_000));
    const log = openSync(path, 'a');
    const { child, told, exit } = startLogging(log);
    closeSync(log);
    await waitFor('lines to be dropped', () => (told().at(-1)?.dropped ?? 0) > 0);
    expect(statfsSync(join(directory, 'disk')).bavail).toBe(0);
    await tells(told, 5);
    closeSync(filler);
    unlinkSync(join(directory, 'disk', 'filler'));
    await waitFor('a line about them', () => readFileSync(path, 'utf8').includes('"droppedLines":'));
    await waitFor('the disk to be full again', () => statfsSync(join(directory, 'disk')).bavail === 0);
    child.kill('SIGTERM');
    expect(await exit).toEqual([0, null]);
  } finally {
    execFileSync('umount', [join(directory, 'disk')]);
  }
}); // prettier-ignore
