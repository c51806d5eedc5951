import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { runAdminJob } from '../support/call';
import { TestCluster, type TestProcess } from '../support/test-cluster';
import { waitFor } from '../support/wait-for';

/** What a process did at most between two turns of its event loop. */
interface Work {
  readonly bytes: number;
  /** The largest single piece of it, for whoever looks for what held up the loop. */
  readonly largest: string;
  readonly fileCalls: number;
  readonly pausesSkipped: number;
}

const COUNTER = join(__dirname, '..', 'support', 'work-per-turn.cjs');
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

it.each<[string, object]>([
  ['a large value', { code: 'result = list(range(1_000_000, 2_900_000))' }],
  ['a large value of text full of escapes', { code: 'result = chr(1) * 2_600_000' }],
  ['as much output as is kept, none of it UTF-8', { code: 'import os\nfor fd in (1, 2):\n    for _ in range(20):\n        os.write(fd, b"\\xff" * 60_000)' }],
  ['a large body', { code: 'result = len(v)', variables: { v: numbers } }],
  ['a large body for a warm process', { code: 'result = len(v)', variables: { v: numbers }, isolation: 'warm' }],
  ['a body of many names', { code: 'result = len(globals())', variables: Object.fromEntries(Array.from({ length: 9_000 }, (_, index) => [`name_${index}`, index])) }],
  ['hundreds of processes', { code: MANY_PROCESSES }],
  ['thousands of files left behind', { code: 'for name in range(5_000): open(str(name), "w").close()' }],
])('%s does not hold up the loop that renews locks, nor that of the API', async (_, job) => {
  await takeBoth();
  const answer = await runAdminJob(cluster, job);
  expect(answer.json.outcome.status).toBe('succeeded');
  console.log(_, await takeBoth());
}, 120_000); // prettier-ignore
