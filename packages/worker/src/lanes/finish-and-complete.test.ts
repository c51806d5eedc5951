import { randomBytes } from 'node:crypto';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from '@jest/globals';
import { Queue } from 'bullmq';
import {
  connectRedis,
  createRedisKeys,
  defineJobCommands,
  finishJobKeys,
  formatTally,
  type FinishVerdict,
  type RedisKeys,
} from '@python3-cluster/shared';
import type { Redis } from 'ioredis';
import { pino } from 'pino';
import { waitFor } from '../../../../test/support/wait-for';
import type { JobProcessor } from '../jobs/process-job';
import type { ReceivedJob } from '../jobs/received-job';
import type { Processed } from '../jobs/processed';
import { LaneConsumer } from './lane-consumer';

const TALLY = formatTally({ status: 'succeeded', kind: 'exec', worker: 'node-1' });

const LANE = 'default';
const SEALED = Buffer.from('sealed');
let redis: Redis;
let keys: RedisKeys;
let queue: Queue;
let consumer: LaneConsumer;
let verdicts: [string, FinishVerdict][];
let processed: string[];

beforeAll(async () => {
  const url = process.env['PYTHON3_TEST_REDIS_URL'] ?? '';
  redis = defineJobCommands(connectRedis(url, { profile: 'patient', name: 'test', onError: () => undefined }));
  await waitFor('Redis', () => redis.status === 'ready');
});
afterAll(() => redis.disconnect());

beforeEach(() => {
  keys = createRedisKeys(`t-${randomBytes(5).toString('hex')}`);
  queue = new Queue(keys.queueName, { connection: redis, prefix: keys.queuePrefix(LANE) });
  verdicts = [];
  processed = [];
});
afterEach(async () => {
  await consumer.drain();
  await queue.close();
});

/** Stands for everything between the queue and the outcome: what it delivers is what counts here. */
function consume(process: (received: ReceivedJob) => Promise<Processed> = deliver('token'), connection = redis): void {
  const processor = {
    process: (received: ReceivedJob) => {
      processed.push(received.jobId);
      return process(received);
    },
  } as unknown as JobProcessor;
  consumer = new LaneConsumer({
    lane: LANE,
    redis: connection,
    keys,
    concurrency: 1,
    processor,
    workerId: 'w',
    mayTake: () => Promise.resolve(true),
    logger: pino({ level: 'silent' }),
  });
  consumer.start();
}

const deliver =
  (token: string) =>
  ({ jobId }: ReceivedJob): Promise<Processed> => {
    const values = [token, SEALED, 60_000, '', jobId, 1_000, TALLY] as const;
    const finish = { keys: finishJobKeys(keys, LANE, jobId, 'x'), values };
    return Promise.resolve({ kind: 'done', outcome: { finish, onWritten: (verdict) => verdicts.push([jobId, verdict]) } });
  };

async function add(jobId: string): Promise<void> {
  await redis.hset(keys.jobRecord(LANE, jobId), 'job', 'head', 'state', 'active', 'token', 'token');
  await queue.add('exec', { sealed: 'x' }, { jobId, removeOnComplete: true, removeOnFail: true, attempts: 1 });
}
const counts = (): Promise<Record<string, number>> => queue.getJobCounts('waiting', 'active', 'delayed', 'failed', 'completed');
const NONE = { waiting: 0, active: 0, delayed: 0, failed: 0, completed: 0 };

it('an outcome is written and the queue told of it in one step, which also fetches the next job', async () => {
  const jobIds = ['a', 'b', 'c', 'd'];
  for (const jobId of jobIds) await add(jobId);
  // The way of those who have no queue entry to complete.
  redis.finishJob = () => Promise.reject(new Error('not in one step'));
  consume();
  await waitFor('all outcomes', () => verdicts.length === jobIds.length);
  delete (redis as Partial<Redis>).finishJob;
  expect(verdicts).toEqual(jobIds.map((jobId) => [jobId, 'written']));
  expect(processed).toEqual(jobIds);
  expect(await counts()).toEqual(NONE);
  for (const jobId of jobIds) {
    expect(await redis.hmget(keys.jobRecord(LANE, jobId), 'state', 'outcome')).toEqual(['finished', 'sealed']);
    expect(await redis.exists(keys.queueEntry(LANE, jobId), keys.queueLock(LANE, jobId))).toBe(0);
  }
});

it.each<[string, string, FinishVerdict]>([
  ['a job somebody else has taken', 'other', 'stale'],
  ['a job that is finished', 'token', 'finished'],
])('%s leaves the queue, and its outcome is not touched', async (_, token, verdict) => {
  await add('a');
  if (verdict === 'finished') await redis.hset(keys.jobRecord(LANE, 'a'), 'state', 'finished', 'outcome', 'first');
  consume(deliver(token));
  await waitFor('the verdict', () => verdicts.length > 0);
  expect(verdicts).toEqual([['a', verdict]]);
  expect(await counts()).toEqual(NONE);
  expect(await redis.hget(keys.jobRecord(LANE, 'a'), 'outcome')).toBe(verdict === 'finished' ? 'first' : null);
});

it('an outcome that Redis refuses leaves the job in the queue, to be tried again', async () => {
  const [user, password] = [`t-${randomBytes(5).toString('hex')}`, randomBytes(8).toString('hex')];
  await redis.call('ACL', 'SETUSER', user, 'on', `>${password}`, '~*', '&*', '+@all', '-hdel');
  const url = new URL(process.env['PYTHON3_TEST_REDIS_URL'] ?? '');
  Object.assign(url, { username: user, password });
  const restricted = defineJobCommands(connectRedis(url.href, { profile: 'patient', name: 'test', onError: () => undefined }));
  await add('a');
  consume(deliver('token'), restricted);
  await waitFor('it to be put back', async () => (await counts())['delayed'] === 1);
  expect([verdicts, await redis.exists(keys.queueEntry(LANE, 'a'))]).toEqual([[], 1]);
  await redis.call('ACL', 'SETUSER', user, '+hdel');
  await waitFor('the outcome', () => verdicts.length > 0);
  expect(verdicts).toEqual([['a', 'written']]);
  expect(processed.length).toBeGreaterThan(1);
  expect(await counts()).toEqual(NONE);
  await consumer.drain();
  restricted.disconnect();
  await redis.call('ACL', 'DELUSER', user);
});

it('a job that has its outcome leaves the queue, also where the queue cannot complete it', async () => {
  await add('a');
  consume(async (received) => {
    await redis.set(keys.queueEntry(LANE, 'pc'), 'x');
    // BullMQ appends to its stream of events when it completes a job.
    await redis.del(keys.queueEntry(LANE, 'events'));
    await redis.set(keys.queueEntry(LANE, 'events'), 'in the way');
    return deliver('token')(received);
  });
  await waitFor('the outcome', () => verdicts.length > 0);
  expect(verdicts).toEqual([['a', 'written']]);
  await redis.del(keys.queueEntry(LANE, 'events'), keys.queueEntry(LANE, 'pc'));
  await waitFor('the end of it', async () => Object.values(await counts()).every((count) => count === 0));
  expect(await redis.exists(keys.queueEntry(LANE, 'a'), keys.queueLock(LANE, 'a'))).toBe(0);
  expect(processed).toEqual(['a']);
});

it('a job that goes back to its lane leaves no outcome behind', async () => {
  await add('a');
  let isFirst = true;
  consume(async (received) => {
    if (!isFirst) return deliver('token')(received);
    isFirst = false;
    return { kind: 'busy' };
  });
  await waitFor('it to be put back', async () => (await counts())['delayed'] === 1);
  expect([verdicts, await redis.hget(keys.jobRecord(LANE, 'a'), 'state')]).toEqual([[], 'active']);
  await waitFor('the outcome', () => verdicts.length > 0);
  expect(await counts()).toEqual(NONE);
});
