import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { runAdminJob } from '../support/call';
import { TestCluster, type TestProcess } from '../support/test-cluster';
import { waitFor } from '../support/wait-for';
import type { Work } from '../support/work-per-turn.cjs';

const COUNTER = join(__dirname, '..', 'support', 'work-per-turn.cjs');
const SHARED = join(__dirname, '..', '..', 'packages', 'shared', 'dist');
let cluster: TestCluster;
let directory: string;
beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'p3-loop-'));
  cluster = await TestCluster.start({ settings: { NODE_OPTIONS: `--require=${COUNTER}`, WORK_PER_TURN_DIRECTORY: directory } });
});
afterAll(async () => {
  await cluster.stop();
  rmSync(directory, { recursive: true, force: true });
});

/** The most since it was asked last. */
async function takeWork({ pid, process: asked }: TestProcess): Promise<Work> {
  const path = join(directory, String(pid));
  const lines = (): string[] => (existsSync(path) ? readFileSync(path, 'utf8').split('\n').slice(0, -1) : []);
  const before = lines().length;
  asked.kill('SIGUSR2');
  return JSON.parse((await waitFor('what it did', () => lines()[before])) ?? '') as Work;
}

const takeBoth = (): Promise<[worker: Work, api: Work]> =>
  Promise.all([takeWork(cluster.workers[0] as TestProcess), takeWork(cluster.apis[0] as TestProcess)]);

/** Nearly the 16 MiB that a body and a value may have by default, in short tokens: the slowest to scan. */
const numbers = Array.from({ length: 1_900_000 }, (_, index) => 1_000_000 + index);

const MANY_PROCESSES = `
import os, time
shared = bytearray(10 << 20)
for _ in range(200):
    if os.fork() == 0:
        time.sleep(30)
        os._exit(0)
time.sleep(1.5)
`;

/**
 * Several times what it is for one large thing: on a busy machine parts of several of them meet in one turn. Done at once, each of
 * these would be twice as much again.
 */
const MOST = { bytes: 2 * 1_048_576, fileCalls: 1_000 };
/** Two outputs of a MiB, each byte of them made a character of three, in calls of Node that take a buffer whole. */
const MOST_OF_OUTPUT = { ...MOST, bytes: 12 * 1_048_576 };

it.each<[string, object, typeof MOST]>([
  ['a large value', { code: 'result = list(range(1_000_000, 2_900_000))' }, MOST],
  ['a large value of text full of escapes', { code: 'result = chr(1) * 2_600_000' }, MOST],
  ['as much output as is kept, none of it UTF-8', { code: 'import os\nfor fd in (1, 2):\n    for _ in range(20):\n        os.write(fd, b"\\xff" * 60_000)' }, MOST_OF_OUTPUT],
  ['a large body', { code: 'result = len(v)', variables: { v: numbers } }, MOST],
  ['a large body for a warm process', { code: 'result = len(v)', variables: { v: numbers }, isolation: 'warm' }, MOST],
  ['a body of many names', { code: 'result = len(globals())', variables: Object.fromEntries(Array.from({ length: 9_000 }, (_, index) => [`name_${index}`, index])) }, MOST],
  ['hundreds of processes', { code: MANY_PROCESSES }, MOST],
  ['thousands of files left behind', { code: 'for name in range(5_000): open(str(name), "w").close()' }, MOST],
])('%s does not hold up the loop that renews locks, nor that of the API', async (_words, job, most) => {
  await takeBoth();
  // A machine that others use may be too slow for the times of Redis now and then, which is not what is looked at here.
  await waitFor('the job to succeed', async () => (await runAdminJob(cluster, job)).json?.outcome?.status === 'succeeded', 110_000);
  for (const { bytes, largest, fileCalls, pausesSkipped } of await takeBoth())
    expect([bytes <= most.bytes && fileCalls <= most.fileCalls, bytes, largest, fileCalls, pausesSkipped]).toEqual([true, bytes, largest, fileCalls, 0]);
}, 120_000); // prettier-ignore

it('what is done at once is seen', async () => {
  const program = `
    const { assertJsonValue } = require(${JSON.stringify(SHARED)});
    const fs = require('node:fs');
    const text = JSON.stringify(Array.from({ length: 600_000 }, (_, index) => index));
    assertJsonValue(Buffer.from(text));
    JSON.parse(text);
    for (let index = 0; index < 5_000; index += 1) fs.existsSync('/');
    process.kill(process.pid, 'SIGUSR2');
    setInterval(() => undefined, 1_000);`;
  const env = { ...process.env, NODE_OPTIONS: `--require=${COUNTER}`, WORK_PER_TURN_DIRECTORY: directory };
  const child = spawn(process.execPath, ['-e', program], { env, stdio: 'ignore' });
  try {
    const path = join(directory, String(child.pid));
    const work = JSON.parse(
      await waitFor(
        'what it did',
        () => existsSync(path) && readFileSync(path, 'utf8').includes('\n') && readFileSync(path, 'utf8').split('\n')[0],
      ),
    ) as Work;
    expect(work.bytes).toBeGreaterThan(MOST.bytes);
    expect(work.fileCalls).toBeGreaterThan(MOST.fileCalls);
    expect(work.pausesSkipped).toBeGreaterThan(0);
  } finally {
    child.kill('SIGKILL');
  }
});
