import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { runFirstJob, type FirstJobOptions } from '../../packages/cli/src/start/first-job';
import { ADMIN_KEY, DEVELOPER_KEY, TestCluster } from '../support/test-cluster';
import { call } from '../support/call';
import { waitFor } from '../support/wait-for';

/** A cluster with the lanes of the README, and a backlog. */
let cluster: TestCluster;
beforeAll(async () => {
  cluster = await TestCluster.start({ settings: { PYTHON3_LANES: 'line-7,vision', PYTHON3_POOL_MAX: '3', PYTHON3_DRAIN_SECONDS: '1' } });
});
afterAll(() => cluster.stop());

const run = (changes: Partial<FirstJobOptions> = {}) =>
  runFirstJob({ address: cluster.url(), key: DEVELOPER_KEY, lane: 'line-7', failure: () => undefined, waitSeconds: 1, ...changes });

it('the first job of a start is answered on a lane that the node serves', async () => {
  expect(await run()).toMatchObject({ state: 'answered', answer: '1267650600228229401496703205376' });
});

it('what cannot become better is told at once: a key that is refused, a process that ended', async () => {
  await expect(run({ key: 'x'.repeat(40) })).rejects.toMatchObject({ code: 'START_FAILED', message: expect.stringContaining('AUTH_KEY_INVALID') });
  await expect(run({ failure: () => 'worker ended with exit code 1' })).rejects.toMatchObject({ code: 'START_FAILED', message: 'worker ended with exit code 1' });
}); // prettier-ignore

it('a lane that nobody serves is waited for, and then told', async () => {
  await expect(run({ lane: 'default', upTimeoutMs: 500 })).rejects.toMatchObject({
    message: expect.stringContaining('NO_WORKER_FOR_LANE'),
  });
});

it('behind a backlog it waits its turn, which is no failure', async () => {
  const sleeper = { code: 'import time\ntime.sleep(120)', mode: 'admin', lane: 'line-7', timeoutMs: 300_000 };
  for (let count = 0; count < 20; count += 1) {
    expect((await call(cluster, '/api/v1/jobs', sleeper, { key: ADMIN_KEY })).status).toBe(202);
  }
  await waitFor('every slot to be held', async () => {
    const { json } = await call(cluster, '/api/v1/workers', undefined, { key: ADMIN_KEY });
    return (json as { workers: { pool: { inUse: number } }[] }).workers[0]?.pool.inUse === 3;
  });
  expect(await run()).toEqual({ state: 'waiting', why: expect.any(String) });
});
