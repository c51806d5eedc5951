import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import {
  connectRedis,
  createJobId,
  createRedisKeys,
  KeyRing,
  LargeContent,
  openJob,
  PIECE_BYTES,
  type Job,
  type RedisKeys,
} from '@python3-cluster/shared';
import type { Redis } from 'ioredis';
import { pino } from 'pino';
import { acceptJob } from './accept-job';
import { enqueue, type EnqueueTools } from './enqueue';
import { createJobIndex } from './job-index';
import { createLaneQueues, type LaneQueues } from './lane-queues';

let redis: Redis;
let queues: LaneQueues;
let keys: RedisKeys;
let tools: EnqueueTools;

beforeAll(async () => {
  keys = createRedisKeys(`t-${randomBytes(5).toString('hex')}`);
  redis = connectRedis(process.env['PYTHON3_TEST_REDIS_URL'] ?? '', { profile: 'fail-fast', name: 'test', onError: () => undefined });
  await new Promise((resolve) => redis.once('ready', resolve));
  queues = createLaneQueues(redis, keys, pino({ level: 'silent' }));
  tools = { redis, keys, keyRing: new KeyRing('k'.repeat(32)), queues, large: new LargeContent(redis) };
});
afterAll(async () => {
  await queues.close();
  redis.disconnect();
});

const PAYLOAD = Buffer.from('{"code":"result = 1","variables":{}}');

function makeJob(): Job {
  return {
    version: 1, id: createJobId('default'), lane: 'default', kind: 'exec', mode: 'restricted', isolation: 'fresh', delivery: 'at-least-once', owner: 'x',
    limits: { timeoutMs: 1_000, memoryMb: 64, cpuSeconds: 1 }, issuedAt: Date.now(), validUntil: Date.now() + 60_000, startBefore: null,
    resultTtlMs: 60_000, replyTo: null, traceparent: null,
  }; // prettier-ignore
}

const waitingCount = (): Promise<number> => redis.zcard(`${keys.queuePrefix('default')}:${keys.queueName}:prioritized`);

it('a job that Redis refuses does not fail the strangers of the same turn', async () => {
  const jobs = Array.from({ length: 9 }, makeJob);
  const unlucky = jobs[4] as Job;
  // A key of another type: its HSET is answered with an error, amid the others' successes.
  await redis.set(keys.jobRecord('default', unlucky.id), 'in the way');
  const results = await Promise.allSettled(jobs.map((job) => enqueue(tools, job, PAYLOAD)));
  expect(results.map((result) => result.status)).toEqual(jobs.map((job) => (job === unlucky ? 'rejected' : 'fulfilled')));
  expect(results[4]).toMatchObject({ reason: { code: 'QUEUE_UNAVAILABLE' } });
  for (const job of jobs) {
    expect(await redis.hget(keys.jobRecord('default', job.id), 'state').catch(() => null)).toBe(job === unlucky ? null : 'waiting');
    // One step: what has no record never was in the queue.
    expect(await redis.exists(keys.queueEntry('default', job.id))).toBe(job === unlucky ? 0 : 1);
  }
});

it('record, expiry, place among the open jobs and queue entry are one command', async () => {
  const job = makeJob();
  const sent: string[] = [];
  const sendCommand = redis.sendCommand.bind(redis);
  redis.sendCommand = (command, stream) => {
    sent.push(command.name);
    return sendCommand(command, stream);
  };
  await enqueue(tools, job, PAYLOAD);
  redis.sendCommand = sendCommand;
  expect(sent).toHaveLength(1);
  const record = keys.jobRecord('default', job.id);
  expect(await redis.hmget(record, 'state', 'queuedBytes')).toEqual(['waiting', `${PAYLOAD.length}`]);
  expect(await redis.pttl(record)).toBeGreaterThan(110_000);
  expect(await redis.zscore(keys.openJobs('default'), job.id)).toBe(`${job.issuedAt}`);
  expect(await redis.exists(keys.jobPayload('default', job.id))).toBe(0);
  expect(await queues.get('default').getJobState(job.id)).toBe('prioritized');
});

it.each([
  ['large', 100_000],
  ['very large', 3 * PIECE_BYTES],
])('a %s job stands beside the queue, for as long as its record', async (_words, length) => {
  const job = makeJob();
  await enqueue(tools, job, Buffer.from(JSON.stringify({ code: 'x'.repeat(length), variables: {} })));
  const sealed = await tools.large.read(keys.jobPayload('default', job.id));
  expect(sealed && openJob(tools.keyRing, 'default', job.id, sealed)?.payload.length).toBeGreaterThan(length);
  expect(await redis.pttl(keys.jobPayload('default', job.id))).toBeGreaterThan(110_000);
  expect((await queues.get('default').getJob(job.id))?.data).toEqual({ stored: true });
});

it('a job whose staged content is gone is not accepted, and an earlier record of its id stays', async () => {
  const job = makeJob();
  await enqueue(tools, job, PAYLOAD);
  const large = new LargeContent(redis);
  const lost = Object.assign(large, {
    stage: async (key: string, content: Buffer) => ({ key, bytes: content.length, done: await Promise.resolve() }),
  });
  const again = enqueue({ ...tools, large: lost }, job, Buffer.alloc(2 * PIECE_BYTES, 'x'));
  await expect(again).rejects.toMatchObject({ code: 'QUEUE_UNAVAILABLE' });
  expect(await redis.hget(keys.jobRecord('default', job.id), 'state')).toBe('waiting');
  expect(await redis.exists(keys.jobPayload('default', job.id))).toBe(0);
});

it.each([
  ['delayed', { delay: 60_000 }],
  ['prioritized', { priority: 7 }],
  ['waiting', {}],
])('an entry can be %s, as BullMQ has it', async (state, options) => {
  const { id, issuedAt } = makeJob();
  await acceptJob(redis, queues.get('default').getBackend(), {
    keys: [keys.jobRecord('default', id), keys.openJobs('default'), keys.jobPayload('default', id)],
    values: [Buffer.from('head'), 1, 60_000, id, issuedAt, '', 'waiting', '', 'accepted', '', '', ''],
    id,
    entry: { name: 'exec', data: '{"stored":true}', options: { attempts: 1, ...options } },
  });
  expect(await queues.get('default').getJobState(id)).toBe(state);
  expect(await redis.hget(keys.jobRecord('default', id), 'job')).toBe('head');
});

it('all jobs of one turn enter their owner’s list with one command, and are there when the call returns', async () => {
  const commands: string[] = [];
  const index = createJobIndex({ redis, keys });
  const sendCommand = redis.sendCommand.bind(redis);
  redis.sendCommand = (command, stream) => {
    commands.push(command.name);
    return sendCommand(command, stream);
  };
  const jobs = Array.from({ length: 20 }, makeJob);
  await Promise.all(jobs.map((job) => enqueue({ ...tools, index }, job, PAYLOAD)));
  redis.sendCommand = sendCommand;
  expect(commands.filter((name) => name === 'zadd')).toHaveLength(2);
  for (const key of [keys.ownerJobs('x'), keys.allJobs])
    expect((await redis.zrange(key, 0, '-1')).sort()).toEqual(jobs.map(({ id }) => id).sort());
});

it('all jobs of one turn are sent with one system call', async () => {
  const { stream } = redis;
  const before = await waitingCount();
  let writes = 0;
  const write = stream._writev?.bind(stream);
  stream._writev = (chunks, callback) => {
    writes += 1;
    write?.(chunks, callback);
  };
  await Promise.all(Array.from({ length: 50 }, () => enqueue(tools, makeJob(), PAYLOAD)));
  delete (stream as Partial<typeof stream>)._writev;
  expect(writes).toBe(1);
  expect((await waitingCount()) - before).toBe(50);
});

it('a job that is to wait for its time says so in its record, and stands among the delayed until then', async () => {
  const { issuedAt, ...rest } = makeJob();
  const job: Job = { ...rest, issuedAt, startAfter: issuedAt + 60_000, priority: 3 };
  await enqueue(tools, job, PAYLOAD);
  expect(await redis.hget(keys.jobRecord('default', job.id), 'state')).toBe('delayed');
  // BullMQ keeps the time in the upper bits of the score.
  const score = Number(await redis.zscore(`${keys.queuePrefix('default')}:${keys.queueName}:delayed`, job.id));
  expect(Math.floor(score / 4_096)).toBe(issuedAt + 60_000);
  expect(await redis.hget(keys.queueEntry('default', job.id), 'priority')).toBe('3');
});
