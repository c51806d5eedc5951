import { afterEach, expect, it } from '@jest/globals';
import { call, exec, runJob } from '../support/call';
import { RedisServer } from '../support/redis-servers';
import { TestCluster } from '../support/test-cluster';
import { waitFor } from '../support/wait-for';

const WRONG = ['maxmemory-policy allkeys-lru', 'appendonly no'];
const stops: (() => unknown)[] = [];
afterEach(async () => {
  for (const stop of stops.splice(0).reverse()) await stop();
});

it('neither API nor worker node starts on a Redis that is set wrong: exit code 1, every problem and what to do in one message', async () => {
  const server = await RedisServer.start({ settings: WRONG });
  stops.push(() => server.stop());
  const good = await RedisServer.start();
  stops.push(() => good.stop());
  const cluster = await TestCluster.start({ redisUrl: good.url, workers: 0 });
  stops.push(() => cluster.stop());
  const worker = cluster.startWorker({ REDIS_URL: server.url });
  expect(await waitFor('the worker node to end', () => worker.process.exitCode ?? undefined)).toBe(1);
  await expect(cluster.startApi({ REDIS_URL: server.url })).rejects.toThrow(/the API ended/);
  const api = cluster.apis.at(-1);
  expect(api?.process.exitCode).toBe(1);
  for (const log of [worker.log(), api?.log()]) {
    const message = log?.slice(log.indexOf('python3-cluster: '));
    expect(message).toMatch(/maxmemory-policy is allkeys-lru.*set it to noeviction/);
    expect(message).toMatch(/appendonly is off.*set appendonly yes/);
    expect(message).toContain('REDIS_UNSUITABLE');
  }
}, 60_000);

it('a Redis that comes back set wrong gets no jobs and gives none, until it is mended', async () => {
  let server = await RedisServer.start();
  stops.push(() => server.stop());
  const cluster = await TestCluster.start({ redisUrl: server.url });
  stops.push(() => cluster.stop());
  expect((await exec(cluster, 'result = 1')).json.result).toBe(1);

  // Accepted while the lane still counts as served, and nobody takes it.
  cluster.workers[0]?.process.kill('SIGSTOP');
  const waiting = await call(cluster, '/api/v1/jobs', { code: 'result = 2' });
  expect(waiting.status).toBe(202);
  await server.end();
  cluster.workers[0]?.process.kill('SIGCONT');
  server = await server.restart(['maxmemory-policy allkeys-lru']);

  await waitFor('the worker node to say so', () => cluster.workers[0]?.log().includes('maxmemory-policy is allkeys-lru'));
  const refused = await waitFor('the API to say so', async () => {
    const answer = await exec(cluster, 'result = 3');
    return answer.json.code !== 'QUEUE_UNAVAILABLE' && answer;
  });
  expect([refused.status, refused.json.code, Number(refused.headers.get('retry-after')) > 0]).toEqual([503, 'REDIS_UNSUITABLE', true]);
  expect(refused.json.error).toContain('noeviction');
  const ready = await call(cluster, '/health/ready', undefined, { key: null });
  expect([ready.status, ready.json.code, ready.json.problems]).toEqual([503, 'REDIS_UNSUITABLE', [expect.stringContaining('allkeys-lru')]]);
  expect((await call(cluster, '/health', undefined, { key: null })).json.status).toBe('degraded');
  // Others of its kind are asked after it; had anybody taken it, it would have ended by now.
  for (let seen = 0; seen < 10;) {
    const { json } = await call(cluster, `/api/v1/jobs/${waiting.json.id}`);
    const state = (json.state ?? json.error.code) as string;
    // The breaker may still have its doubts.
    expect(['waiting', 'QUEUE_UNAVAILABLE']).toContain(state);
    if (state === 'waiting') seen += 1;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }

  await server.client.config('SET', 'maxmemory-policy', 'noeviction');
  const ended = await waitFor('its outcome', async () => {
    const answer = await call(cluster, `/api/v1/jobs/${waiting.json.id}`);
    return answer.json.state === 'finished' && answer;
  });
  expect(ended.json.outcome).toMatchObject({ status: 'succeeded', value: 2 });
  await waitFor('new ones', async () => (await runJob(cluster, { code: 'result = 4' })).json.outcome?.value === 4);
  expect((await call(cluster, '/health/ready', undefined, { key: null })).status).toBe(200);
}, 60_000);

it('level disk needs a Redis that syncs every write', async () => {
  const server = await RedisServer.start();
  stops.push(() => server.stop());
  const cluster = await TestCluster.start({ redisUrl: server.url, workers: 0 });
  stops.push(() => cluster.stop());
  const worker = cluster.startWorker({ PYTHON3_DURABILITY: 'disk' });
  expect(await waitFor('the worker node to end', () => worker.process.exitCode ?? undefined)).toBe(1);
  expect(worker.log()).toMatch(/appendfsync is everysec.*needs appendfsync always/);
  await server.client.config('SET', 'appendfsync', 'always');
  cluster.workers.length = 0;
  await cluster.startApi({ PYTHON3_DURABILITY: 'disk' });
  cluster.startWorker({ PYTHON3_DURABILITY: 'disk' });
  await cluster.waitForWorkers(1);
  expect((await runJob(cluster, { code: 'result = 5' }, { replica: 1 })).json.outcome.value).toBe(5);
}, 60_000);
