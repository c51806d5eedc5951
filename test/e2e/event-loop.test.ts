import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { assertJsonValue, KeyRing, seal } from '@python3-cluster/shared';
import { runAdminJob } from '../support/call';
import { pause } from '../support/pause';
import { TestCluster, type TestProcess } from '../support/test-cluster';

const SAMPLER = join(__dirname, '..', '..', 'bench', 'soak', 'loop-delay.cjs');
let cluster: TestCluster;
let directory: string;
beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'p3-loop-'));
  cluster = await TestCluster.start({ settings: { NODE_OPTIONS: `--require=${SAMPLER}`, LOOP_DELAY_DIRECTORY: directory } });
  // Code that has not run yet is slow.
  await runAdminJob(cluster, { code: 'result = v', variables: { v: numbers.slice(0, 300_000) } });
});
afterAll(async () => {
  await cluster.stop();
  rmSync(directory, { recursive: true, force: true });
});

/** Nearly the 16 MiB that a body and a value may have by default, in short tokens: the slowest to scan. */
const numbers = Array.from({ length: 1_900_000 }, (_, index) => 1_000_000 + index);

/** What it takes to check and to seal that much without a pause, here and now. */
function atOnceMs(): number {
  const text = Buffer.from(JSON.stringify(numbers));
  const startedAt = performance.now();
  assertJsonValue(text);
  seal(new KeyRing('k'.repeat(32)), { purpose: 'result', scope: 's', subject: 'x' }, text);
  return performance.now() - startedAt;
}

/** Longest that the loop was held up by work since then; a process that was not given the CPU was not at work. */
function heldUpMs({ pid }: TestProcess, since: number): number {
  const lines = readFileSync(join(directory, String(pid)), 'utf8')
    .split('\n')
    .filter(Boolean);
  const samples = lines.map((line) => JSON.parse(line) as { at: number; maxMs: number; cpuMs: number });
  return Math.max(...samples.filter(({ at }) => at >= since).map(({ maxMs, cpuMs }) => Math.min(maxMs, cpuMs)));
}

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
  ['hundreds of processes', { code: MANY_PROCESSES }],
  ['thousands of files left behind', { code: 'for name in range(5_000): open(str(name), "w").close()' }],
])('%s does not hold up the loop that renews locks, nor that of the API', async (_, job) => {
  const shares: [worker: number, api: number][] = [];
  // The best of three: collecting garbage, and others at work on the machine, come on top.
  for (let round = 0; round < 3; round += 1) {
    const since = Date.now();
    const answer = await runAdminJob(cluster, job);
    expect(answer.json.outcome.status).toBe('succeeded');
    await pause(300);
    const unit = atOnceMs();
    shares.push([heldUpMs(cluster.workers[0] as TestProcess, since) / unit, heldUpMs(cluster.apis[0] as TestProcess, since) / unit]);
  }
  const best = (which: 0 | 1): number => Math.min(...shares.map((share) => share[which]));
  expect([best(0), best(1)].map((share) => share < 0.5)).toEqual([true, true]);
}, 120_000); // prettier-ignore
