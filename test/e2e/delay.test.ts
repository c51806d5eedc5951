import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { createRedisKeys, type RedisKeys } from '@python3-cluster/shared';
import { Queue } from 'bullmq';
import { Redis } from 'ioredis';
import { call, runJob, type Answer } from '../support/call';
import { TestCluster } from '../support/test-cluster';
import { freePort, startPrivateRedis } from '../support/test-redis';
import { waitFor } from '../support/wait-for';

let cluster: TestCluster;
let redis: Redis;
let keys: RedisKeys;
beforeAll(async () => {
  cluster = await TestCluster.start({ settings: { PYTHON3_POOL_MAX: '3', PYTHON3_DELAY_CEILING_SECONDS: '3600' } });
  redis = new Redis(cluster.redisUrl, { maxRetriesPerRequest: null });
  keys = createRedisKeys(cluster.namespace);
});
afterAll(async () => {
  redis.disconnect();
  await cluster.stop();
});

const submit = async (job: object, on = cluster): Promise<any> => { // eslint-disable-line @typescript-eslint/no-explicit-any -- JSON, as a caller without types reads it
  const answer = await call(on, '/api/v1/jobs', { code: 'result = 1', ...job });
  expect(answer.status).toBe(202);
  return answer.json;
}; // prettier-ignore
const show = (id: string, on = cluster): Promise<Answer> => call(on, `/api/v1/jobs/${id}`);
// eslint-disable-next-line @typescript-eslint/no-explicit-any -- JSON, as a caller without types reads it
const ended = (id: string, on = cluster, timeoutMs = 20_000): Promise<any> =>
  waitFor(
    'its outcome',
    async () => {
      const { json } = await show(id, on);
      return json.outcome ? json : undefined;
    },
    timeoutMs,
  );
const listed = async (query: string): Promise<string[]> =>
  ((await call(cluster, `/api/v1/jobs${query}`)).json.jobs as { id: string }[]).map(({ id }) => id);
const delayedSet = (): string => keys.queueEntry('default', 'delayed');

/** What somebody with Redis can do: has the queue hand the job out now. */
async function promote(id: string): Promise<void> {
  const queue = new Queue(keys.queueName, { connection: redis, prefix: keys.queuePrefix('default'), skipVersionCheck: true });
  await (await queue.getJob(id))?.promote();
  await queue.close();
}

describe('a job with delayMs', () => {
  it('is shown as delayed, and starts when its time has come, not before', async () => {
    const job = await submit({ delayMs: 1_500, labels: { test: 'delay' } });
    expect(job).toMatchObject({ state: 'delayed', startAfter: job.createdAt + 1_500, attempts: [] });
    expect((await show(job.id)).json).toMatchObject({ state: 'delayed', startAfter: job.createdAt + 1_500 });
    expect(await listed('?state=delayed&label=test:delay')).toEqual([job.id]);
    expect(await listed('?state=waiting')).toEqual([]);
    const { attempts, outcome, timings } = await ended(job.id);
    expect(outcome).toMatchObject({ status: 'succeeded', value: 1 });
    expect(attempts).toMatchObject([{ number: 1, status: 'succeeded', error: null }]);
    expect(attempts[0].startedAt).toBeGreaterThanOrEqual(job.startAfter);
    expect(attempts[0].startedAt).toBeLessThan(job.startAfter + 10_000);
    expect(timings.queuedMs).toBeGreaterThanOrEqual(1_500);
    expect(await listed('?state=delayed')).toEqual([]);
  });

  it('lets its caller wait for the end, or go on without', async () => {
    const waited = await runJob(cluster, { code: 'result = 2', delayMs: 600 });
    expect([waited.status, waited.json.outcome?.value]).toEqual([200, 2]);
    expect(waited.json.attempts[0].startedAt).toBeGreaterThanOrEqual(waited.json.createdAt + 600);
    const left = await runJob(cluster, { code: 'result = 2', delayMs: 60_000 }, { headers: { prefer: 'wait=1' } });
    expect([left.status, left.json.state]).toEqual([202, 'delayed']);
    await call(cluster, `/api/v1/jobs/${left.json.id}`, undefined, { method: 'DELETE' });
  });

  it('that somebody with Redis promotes goes back, and starts at its time', async () => {
    const job = await submit({ delayMs: 2_500 });
    await promote(job.id);
    expect(await redis.zscore(delayedSet(), job.id)).toBeNull();
    await waitFor('it to be delayed again', async () => (await redis.zscore(delayedSet(), job.id)) !== null);
    expect((await show(job.id)).json).toMatchObject({ state: 'delayed', attempts: [] });
    await promote(job.id);
    const { attempts, outcome } = await ended(job.id);
    expect(outcome.status).toBe('succeeded');
    expect(attempts).toHaveLength(1);
    expect(attempts[0].startedAt).toBeGreaterThanOrEqual(job.startAfter);
  });

  it('is cancelled at once, never started, and leaves nothing in the queue', async () => {
    const job = await submit({ delayMs: 3_000_000 });
    const answer = await call(cluster, `/api/v1/jobs/${job.id}`, undefined, { method: 'DELETE' });
    expect([answer.status, answer.json.outcome.status, answer.json.attempts]).toEqual([200, 'cancelled', []]);
    await waitFor('its entry to be gone', async () => (await redis.exists(keys.queueEntry('default', job.id))) === 0);
    expect(await redis.zscore(delayedSet(), job.id)).toBeNull();
    expect(await redis.zscore(keys.openJobs('default'), job.id)).toBeNull();
  });

  it('is no lost job, however long it waits; one whose entry was deleted is', async () => {
    const [kept, lost] = [await submit({ delayMs: 3_000_000 }), await submit({ delayMs: 3_000_000 })];
    await redis.del(keys.queueEntry('default', lost.id));
    await redis.zrem(delayedSet(), lost.id);
    const job = await ended(lost.id, cluster, 60_000);
    expect(job).toMatchObject({ outcome: { status: 'crashed', error: { type: 'QueueEntryLost' } }, attempts: [] });
    expect((await show(kept.id)).json).toMatchObject({ state: 'delayed', outcome: null });
    await call(cluster, `/api/v1/jobs/${kept.id}`, undefined, { method: 'DELETE' });
  }, 90_000);

  it('expires by a time that counts from the end of its delay', async () => {
    const inTime = await submit({ delayMs: 700, expiresInMs: 20_000 });
    expect((await ended(inTime.id)).outcome.status).toBe('succeeded');
    const slots = await Promise.all([1, 2, 3].map(() => submit({ code: 'import time\ntime.sleep(2)' })));
    const late = await submit({ delayMs: 500, expiresInMs: 100 });
    expect((await ended(late.id)).outcome.status).toBe('expired');
    for (const { id } of slots) await ended(id);
  });

  it('over the ceiling is refused', async () => {
    const { status, json } = await call(cluster, '/api/v1/jobs', { code: '1', delayMs: 3_600_001 });
    expect([status, json.error.code]).toEqual([400, 'LIMIT_ABOVE_CEILING']);
  });
});

it('jobs that wait for their time do not fill the queue for those that are to run now', async () => {
  const small = await TestCluster.start({ settings: { PYTHON3_QUEUE_MAX_JOBS: '4' } });
  try {
    for (let count = 0; count < 4; count += 1) await submit({ delayMs: 600_000 }, small);
    const refused = await call(small, '/api/v1/jobs', { code: '1', delayMs: 600_000 });
    expect([refused.status, refused.json.error.code]).toEqual([503, 'QUEUE_FULL']);
    expect(refused.json.error.message).toContain('waiting and delayed');
    expect((await runJob(small, { code: 'result = 5' })).json.outcome?.value).toBe(5);
  } finally {
    await small.stop();
  }
});

it('delayed jobs outlive a restart of Redis, and start at their time', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'python3-test-redis-'));
  const port = await freePort();
  let server = await startPrivateRedis({ port, directory });
  const own = await TestCluster.start({ redisUrl: `redis://127.0.0.1:${port}/0` });
  try {
    const during = await submit({ delayMs: 1_000 }, own);
    const after = await submit({ delayMs: 6_000, code: 'result = 7' }, own);
    await server.stop();
    // The first one's time comes while Redis is away.
    await waitFor('its time', () => Date.now() > during.startAfter + 200);
    server = await startPrivateRedis({ port, directory });
    for (const { id, startAfter } of [during, after]) {
      const { attempts, outcome } = await ended(id, own);
      expect(outcome.status).toBe('succeeded');
      expect(attempts[0].startedAt).toBeGreaterThanOrEqual(startAfter);
      process.stderr.write(`Redis restarted: a delayed job started ${attempts[0].startedAt - startAfter} ms after its time\n`);
      expect(attempts[0].startedAt).toBeLessThan(startAfter + 20_000);
    }
  } finally {
    await own.stop();
    await server.stop();
    rmSync(directory, { recursive: true, force: true });
  }
}, 60_000);
