import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from '@jest/globals';
import { call, exec } from '../support/call';
import { TestCluster } from '../support/test-cluster';
import { freePort, startPrivateRedis } from '../support/test-redis';
import { waitFor } from '../support/wait-for';

const directory = mkdtempSync(join(tmpdir(), 'python3-test-redis-'));
const stops: (() => Promise<unknown>)[] = [];
afterAll(async () => {
  for (const stop of stops) await stop();
  rmSync(directory, { recursive: true, force: true });
});

const anonymous = { key: null };
const ready = (cluster: TestCluster, query = '') => call(cluster, `/health/ready${query}`, undefined, anonymous);
const health = async (cluster: TestCluster) =>
  (await call(cluster, '/health', undefined, anonymous)).json as { status: string; reasons: { code: string; message: string }[] };

/** Asked all the time, so that the job comes as early after the first `ready` as can be. */
async function firstReady(cluster: TestCluster): Promise<void> {
  const deadline = Date.now() + 30_000;
  while ((await ready(cluster)).status !== 200) if (Date.now() > deadline) throw new Error('never ready');
}

it('a job sent the moment it first says ready is answered, at the start and after each outage of Redis; health says why not', async () => {
  const port = await freePort();
  const cluster = await TestCluster.start({ redisUrl: `redis://127.0.0.1:${port}/0`, workers: 0 });
  stops.push(() => cluster.stop());
  expect((await ready(cluster)).json).toEqual({ status: 'not ready', code: 'QUEUE_UNAVAILABLE', message: 'Redis cannot be reached.' });
  let redis = await startPrivateRedis({ port, directory });
  await waitFor('Redis to be seen', async () => (await ready(cluster)).json.code === 'NO_WORKER_FOR_LANE');
  expect(await health(cluster)).toMatchObject({ status: 'degraded', reasons: [{ code: 'NO_WORKER_FOR_LANE', message: 'No worker node is up.' }] });
  cluster.startWorker();
  await firstReady(cluster);
  expect((await exec(cluster, 'result = 1')).json).toMatchObject({ success: true, result: 1 });
  expect(await health(cluster)).toMatchObject({ status: 'ok', reasons: [] });
  for (let outage = 0; outage < 3; outage += 1) {
    await redis.stop();
    await waitFor('it to be noticed', async () => (await ready(cluster)).status === 503);
    expect(await health(cluster)).toMatchObject({ status: 'degraded', reasons: [{ code: 'QUEUE_UNAVAILABLE', message: expect.stringMatching(/^Redis cannot be reached|keep failing/) }] });
    redis = await startPrivateRedis({ port, directory });
    await firstReady(cluster);
    const answer = await exec(cluster, 'result = 2');
    expect({ status: answer.status, text: answer.text }).toEqual({ status: 200, text: expect.stringContaining('"result":2') });
  }
  stops.push(() => redis.stop());
}, 90_000); // prettier-ignore

it('a lane with waiting jobs and no worker node is why it is not ready, for as long as that is so', async () => {
  const cluster = await TestCluster.start({ workers: 0 });
  stops.push(() => cluster.stop());
  cluster.startWorker();
  const press = cluster.startWorker({ PYTHON3_LANES: 'press' });
  await cluster.waitForWorkers(2);
  await waitFor('ready', async () => (await ready(cluster)).status === 200);
  press.process.kill('SIGKILL');
  const job = { code: 'result = 1', lane: 'press', delivery: 'at-least-once' };
  expect((await call(cluster, '/api/v1/jobs', job)).status).toBe(202);
  const refusal = await waitFor('not ready', async () => {
    const answer = await ready(cluster);
    return answer.status === 503 && (answer.json as { code: string; message: string });
  });
  expect(refusal).toMatchObject({ code: 'NO_WORKER_FOR_LANE', message: "No worker node serves the lane 'press', where 1 job waits." });
  expect(await health(cluster)).toMatchObject({ status: 'degraded', reasons: [refusal].map(({ code, message }) => ({ code, message })) });
  expect((await ready(cluster, '?lane=default')).status).toBe(200);
  expect((await ready(cluster, '?lane=nobody')).json).toMatchObject({ code: 'NO_WORKER_FOR_LANE' });
  cluster.startWorker({ PYTHON3_LANES: 'press' });
  await waitFor('ready again', async () => (await ready(cluster)).status === 200);
}, 60_000);
