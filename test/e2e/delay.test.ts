import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { createRedisKeys, type RedisKeys } from '@python3-cluster/shared';
import { Queue } from 'bullmq';
import { Redis } from 'ioredis';
import { call, runJob, type Answer } from '../support/call';
import { jobsOf } from '../support/jobs';
import { useStandardCluster } from '../support/standard-cluster';
import { waitFor } from '../support/wait-for';

const cluster = useStandardCluster();
let redis: Redis;
let keys: RedisKeys;
beforeAll(() => {
  redis = new Redis(cluster.redisUrl, { maxRetriesPerRequest: null });
  keys = createRedisKeys(cluster.namespace);
});
afterAll(() => redis.disconnect());

const { accept, show, ended } = jobsOf(cluster);
const submit = (job: object): Promise<Answer['json']> => accept({ code: 'result = 1', ...job });
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
    const job = await ended(lost.id, 60_000);
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
