import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, it } from '@jest/globals';
import { describeTimeTaken, timed } from './time-taken';

afterEach(() => performance.clearMeasures());

it('says what took the time, the launcher’s part included, and leaves out what took none', async () => {
  performance.measure('start: packages', { start: 0, end: 20_000 });
  performance.measure('start: build', { start: 20_000, end: 20_400 });
  performance.measure('of somebody else', { start: 0, end: 9_000 });
  expect(await timed('Redis and Python', () => Promise.resolve('found'))).toBe('found');
  expect(describeTimeTaken(25_000)).toBe('Up after 25.0 s (packages 20.0 s, the rest 5.0 s).');
});

it('is one figure where nothing took long', () => {
  expect(describeTimeTaken(1_234)).toBe('Up after 1.2 s.');
});

const WATCH = JSON.stringify(join(__dirname, '..', '..', 'dist', 'start', 'watch-ancestors.js'));
const PROGRAM = `const { startedByAgoMs } = require(${WATCH}); console.log(startedByAgoMs() - performance.now())`;
/** Takes a second for its own matters before it runs the program by a shell, as npm does. */
const NPM = `setTimeout(() => require('child_process').execFileSync('/bin/sh', ['-c', '"$0" -e "$1"; :', process.execPath, process.argv[2]],
  { stdio: 'inherit' }), 1_000)`;

it.each([
  ['of npm’s start, where npm runs it', { npm_lifecycle_event: 'start' }, 1_000, 60_000],
  ['of its own', {}, -1, 500],
])('the total counts from the moment %s', (_words, variables, least, below) => {
  const folder = mkdtempSync(join(tmpdir(), 'python3-npm-'));
  try {
    const npm = join(folder, 'npm-cli.js');
    writeFileSync(npm, NPM);
    const env = { PATH: process.env['PATH'], ...variables };
    const beforeMs = Number(execFileSync(process.execPath, [npm, PROGRAM], { env, encoding: 'utf8' }));
    expect(beforeMs).toBeGreaterThanOrEqual(least);
    expect(beforeMs).toBeLessThan(below);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
