import { afterEach, expect, it } from '@jest/globals';
import { createRedisKeys } from '@python3-cluster/shared';
import { Redis } from 'ioredis';
import { ADMIN_KEY, TestCluster } from '../support/test-cluster';
import { call, legacy, runJob } from '../support/call';
import { TcpProxy } from '../support/tcp-proxy';
import { waitFor } from '../support/wait-for';

/** What a value and a body may have by default is a little more. */
const LARGE = 15_000_000;
/** Of each connection: a large value on one that also renews locks would make them 1.9 s late, on any machine. */
const BYTES_PER_SECOND = 8_000_000;

const SETTINGS = {
  PYTHON3_RESULT_MAX_BYTES: String(1_000_000_000),
  PYTHON3_QUEUE_MAX_BYTES: String(1_000_000_000),
  PYTHON3_MAX_INFLIGHT_BODY_MB: '1024',
  PYTHON3_QUEUE_WAIT_SECONDS: '120',
};

const stops: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const stop of stops.splice(0).reverse()) await stop();
});

/** What is slow: the way of the worker node, or that of the API, to Redis. */
async function start(slow: 'worker' | 'api'): Promise<TestCluster> {
  const cluster = await TestCluster.start({ workers: 0, apis: 0, settings: SETTINGS });
  stops.push(() => cluster.stop());
  const proxy = await TcpProxy.start(Number(new URL(cluster.redisUrl).port), BYTES_PER_SECOND);
  stops.push(() => proxy.stop());
  await cluster.startApi(slow === 'api' ? { REDIS_URL: proxy.redisUrl } : {});
  cluster.startWorker({ PYTHON3_POOL_MAX: '12', ...(slow === 'worker' ? { REDIS_URL: proxy.redisUrl } : {}) });
  await cluster.waitForWorkers(1);
  return cluster;
}

const SMALL = 'import time\ntime.sleep(4)\nresult = 1';

it.each([1, 4, 8])('%i jobs that return the most there may be cost nobody beside them a lock', async (count) => {
  const cluster = await start('worker');
  const large = Array.from({ length: count }, () => runJob(cluster, { code: `result = "x" * ${LARGE}` }, { headers: { prefer: 'wait=120' } }));
  const small = ['at-most-once', 'at-least-once', 'at-most-once'].map((delivery) => runJob(cluster, { code: SMALL, delivery }));
  const answers = await Promise.all([...large, ...small]);
  expect(answers.map(({ json }) => [json.outcome?.status, json.attempts?.length])).toEqual(answers.map(() => ['succeeded', 1]));
  for (const { json } of answers.slice(0, count)) expect(json.outcome.value.length).toBe(LARGE);
  expect(cluster.workers[0]?.log()).not.toMatch(/lock could not be renewed|lock of job/);
}, 120_000); // prettier-ignore

it.each([1, 4, 8])('%i of the largest bodies hold up no one, on their way in and to the worker node', async (count) => {
  const cluster = await start('worker');
  const small = ['at-most-once', 'at-least-once'].map((delivery) => runJob(cluster, { code: SMALL, delivery }));
  const body = JSON.stringify({ code: 'result = len(text)', variables: { text: 'x'.repeat(LARGE) } });
  const large = Array.from({ length: count }, () => call(cluster, '/api/v1/jobs', body, { headers: { prefer: 'wait=120' } }));
  const answers = await Promise.all([...large, ...small]);
  expect(answers.map(({ json }) => [json.outcome?.status, json.attempts?.length])).toEqual(answers.map(() => ['succeeded', 1]));
  expect(cluster.workers[0]?.log()).not.toMatch(/lock could not be renewed|lock of job/);
}, 120_000); // prettier-ignore

it.each([1, 4, 8])('%i of the largest bodies over a slow way to Redis are accepted and answered, and small ones meanwhile', async (count) => {
  const cluster = await start('api');
  const body = JSON.stringify({ code: 'result = len(text)', variables: { text: 'x'.repeat(LARGE) } });
  const large = Array.from({ length: count }, () => legacy(cluster, 'exec', body));
  let hasEnded = false;
  const all = Promise.all(large).finally(() => (hasEnded = true));
  const small: unknown[] = [];
  while (!hasEnded) small.push((await legacy(cluster, 'exec', { code: 'result = 2' })).json);
  expect((await all).map(({ status, json }) => [status, json.result])).toEqual(large.map(() => [200, LARGE]));
  expect(small.length).toBeGreaterThan(1);
  expect(small).toEqual(small.map(() => expect.objectContaining({ result: 2 })));
}, 120_000); // prettier-ignore

it('a large outcome is read by whoever asks later, listed, and gone with its record', async () => {
  const cluster = await start('api');
  const redis = new Redis(cluster.redisUrl, { protocol: 2 });
  stops.push(() => redis.quit());
  const keys = createRedisKeys(cluster.namespace);
  const { json } = await runJob(cluster, { code: 'print("y" * 300_000)\nresult = "x" * 3_000_000', labels: { size: 'large' } });
  const { id } = json as { id: string };
  const asked = await call(cluster, `/api/v1/jobs/${id}`);
  expect([asked.json.outcome.value.length, asked.json.outcome.stdout.length]).toEqual([3_000_000, 300_001]);
  const listed = await call(cluster, '/api/v1/jobs?label=size:large');
  expect(listed.json.jobs).toMatchObject([{ id, outcome: { status: 'succeeded' } }]);
  const stream = await call(cluster, `/api/v1/jobs/${id}/events`);
  expect(stream.text.length).toBeGreaterThan(3_300_000);

  // No part of it is anywhere else, and what was staged is gone.
  expect(await redis.hstrlen(keys.jobRecord('default', id), 'outcome')).toBe(0);
  expect(await redis.keys(`${cluster.namespace}:{default}:staged:*`)).toEqual([]);
  const [record, outcome] = await Promise.all(
    [keys.jobRecord('default', id), keys.jobOutcome('default', id)].map((key) => redis.pttl(key)),
  );
  expect(Math.abs((record as number) - (outcome as number))).toBeLessThan(1_000);

  // Changed by one bit, or cut, it is not believed.
  const piece = (await redis.hgetBuffer(keys.jobOutcome('default', id), '3')) as Buffer;
  piece[1_000] = (piece[1_000] ?? 0) ^ 1;
  await redis.hset(keys.jobOutcome('default', id), '3', piece);
  expect(await call(cluster, `/api/v1/jobs/${id}`)).toMatchObject({ status: 502, json: { error: { code: 'OUTCOME_UNVERIFIED' } } });
  await redis.hdel(keys.jobOutcome('default', id), '3');
  expect(await call(cluster, `/api/v1/jobs/${id}`)).toMatchObject({ status: 502, json: { error: { code: 'OUTCOME_UNVERIFIED' } } });
}, 60_000);

it('what is staged for a job that its node was killed over expires, and the job runs again', async () => {
  const cluster = await start('worker');
  const redis = new Redis(cluster.redisUrl, { protocol: 2 });
  stops.push(() => redis.quit());
  const job = { code: `result = "x" * ${LARGE}`, mode: 'admin' };
  const { json } = await call(cluster, '/api/v1/jobs', job, { key: ADMIN_KEY });
  const staged = await waitFor('its outcome to be on its way', async () => (await redis.keys(`${cluster.namespace}:{default}:staged:*`))[0]);
  await cluster.workers[0]?.stop('SIGKILL');
  expect(await redis.pttl(staged)).toBeGreaterThan(0);
  expect(await redis.pttl(staged)).toBeLessThanOrEqual(60_000);
  cluster.startWorker();
  const ended = await waitFor('its outcome', async () => {
    const answer = await call(cluster, `/api/v1/jobs/${json.id}`, undefined, { key: ADMIN_KEY });
    return answer.json.outcome ? answer.json : undefined;
  }, 30_000);
  expect(ended.outcome.value.length).toBe(LARGE);
  expect(ended.attempts.length).toBe(2);
}, 60_000); // prettier-ignore
