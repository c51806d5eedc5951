import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { STOP_GRACE_MS } from '@python3-cluster/shared';
import { TestCluster, type TestProcess } from '../support/test-cluster';
import { call, runJob } from '../support/call';
import { waitFor } from '../support/wait-for';

let cluster: TestCluster;
beforeAll(async () => {
  cluster = await TestCluster.start({ settings: { PYTHON3_LOG_LEVEL: 'trace', PYTHON3_DRAIN_SECONDS: String(DRAIN_SECONDS) } });
});
afterAll(() => cluster.stop());

const DRAIN_SECONDS = 2;

/** More than a pipe and the reader's own buffer hold, so that whoever waits for it to be read waits for ever. */
const MANY_LINES = 1_500;

it('nobody reads the log: jobs run, health answers, and every process ends in its time when it is told to', async () => {
  const processes: TestProcess[] = [...cluster.apis, ...cluster.workers];
  for (const { process } of processes) process.stderr?.pause();
  const path = `/api/v1/${'x'.repeat(400)}`;
  for (let line = 0; line < MANY_LINES; line += 50) await Promise.all(Array.from({ length: 50 }, () => call(cluster, path)));
  for (let job = 0; job < 200; job += 20) await Promise.all(Array.from({ length: 20 }, () => runJob(cluster, { code: 'result = 1' })));
  expect((await call(cluster, '/health/live')).status).toBe(200);
  expect((await runJob(cluster, { code: 'result = 1' })).json.outcome.status).toBe('succeeded');
  for (const { process } of processes) process.kill('SIGTERM');
  await waitFor('all of them to have ended', () => processes.every(({ process }) => process.exitCode !== null), DRAIN_SECONDS * 1_000 + 2 * STOP_GRACE_MS);
  expect(processes.map(({ process }) => process.exitCode)).toEqual([0, 0]);
}, 90_000); // prettier-ignore
