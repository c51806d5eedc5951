import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, expect, it } from '@jest/globals';
import {
  connectRedis, createJobId, createRedisKeys, defineJobCommands, finishJobKeys, formatTally, MAX_PUBLISHED_BYTES, type RedisKeys,
} from '@python3-cluster/shared'; // prettier-ignore
import type { Redis } from 'ioredis';
import { pino } from 'pino';
import { ForeignKeys } from './foreign-keys';

const LANE = 'default';
let redis: Redis;
let keys: RedisKeys;
let told: { redisKey: string; found: string; event: string }[];
let chore: ForeignKeys;

beforeAll(() => {
  const url = process.env['PYTHON3_TEST_REDIS_URL'] ?? '';
  redis = defineJobCommands(connectRedis(url, { profile: 'patient', name: 'test', onError: () => undefined }));
});
afterAll(() => redis.quit());
beforeEach(() => {
  keys = createRedisKeys(`t-${randomBytes(5).toString('hex')}`);
  told = [];
  const logger = pino({}, { write: (line: string) => void told.push(JSON.parse(line) as (typeof told)[number]) });
  chore = new ForeignKeys({ redis, keys, logger });
});

const lastPart = (key: string): string => key.slice(key.lastIndexOf(':') + 1);

it('what is of another type than ours is removed and told once; what is ours stays', async () => {
  const lists = [
    keys.counts(LANE),
    keys.openJobs(LANE),
    keys.cancels(LANE),
    keys.queueEntry(LANE, 'events'),
    keys.workers,
    keys.quarantine,
  ];
  for (const key of lists) await redis.rpush(key, 'x');
  await redis.set(keys.queueEntry(LANE, 'active'), 'x');
  await redis.set(keys.queuedBytes(LANE), 'inf');
  await redis.zadd(keys.outcomeExpiry(LANE), 1, 'ours');
  await redis.set(keys.quarantineVersion, '7');
  await chore.run([LANE]);
  expect(told.map(({ redisKey }) => lastPart(redisKey)).sort()).toEqual(
    [...lists, keys.queueEntry(LANE, 'active'), keys.queuedBytes(LANE)].map(lastPart).sort(),
  );
  expect(told.every(({ event }) => event === 'security')).toBe(true);
  expect(await redis.exists(...lists, keys.queueEntry(LANE, 'active'), keys.queuedBytes(LANE))).toBe(0);
  expect([await redis.zcard(keys.outcomeExpiry(LANE)), await redis.get(keys.quarantineVersion)]).toEqual([1, '7']);
  told = [];
  await chore.run([LANE]);
  expect(told).toEqual([]);
});

it('an outcome is written whatever stands in place of indexes and counters, which are then mended', async () => {
  const jobId = createJobId(LANE);
  const minute = Math.floor(Date.now() / 60_000);
  await redis.hset(keys.jobRecord(LANE, jobId), { job: 'head', state: 'active', token: 't', queuedBytes: '12' });
  const inTheWay = [
    keys.counts(LANE), keys.minuteCounts(LANE, minute), keys.minuteCounts(LANE, minute + 1), keys.openJobs(LANE), keys.outcomes(LANE, 'me'), keys.outcomeExpiry(LANE),
    keys.outcomeBytes(LANE), keys.countedNames(LANE, 'callers'), keys.namedCounts(LANE, 'caller', 'me'), keys.queuedBytes(LANE),
  ]; // prettier-ignore
  for (const key of inTheWay) await redis.rpush(key, 'x');
  await redis.hset(keys.namedCounts(LANE, 'program', 'a.b'), { 'jobs:exec:succeeded': 'x', 'jobs:exec:failed': '3' });
  const tally = formatTally({ status: 'succeeded', kind: 'exec', worker: 'w', program: 'a.b' });
  const written = await redis.finishJob(
    ...finishJobKeys(keys, LANE, jobId, 'me'),
    't',
    Buffer.from('outcome'),
    60_000,
    '',
    jobId,
    MAX_PUBLISHED_BYTES,
    tally,
  );
  expect([written, await redis.hget(keys.jobRecord(LANE, jobId), 'state')]).toEqual(['written', 'finished']);
  await chore.run([LANE]);
  // Of the two minutes the one that has come.
  expect(await redis.exists(...inTheWay, keys.damaged(LANE))).toBe(1);
  expect(await redis.hgetall(keys.namedCounts(LANE, 'program', 'a.b'))).toEqual({ 'jobs:exec:failed': '3' });
});

it('a key that somebody only says is damaged is left alone, unless it is one that is counted in', async () => {
  await redis.set(`${keys.queuePrefix(LANE)}:job:x`, 'x');
  await redis.set('another', 'x', 'PX', 10_000);
  await redis.hset(keys.damaged(LANE), { [`${keys.queuePrefix(LANE)}:job:x`]: 'WRONGTYPE', another: 'WRONGTYPE' });
  await chore.run([LANE]);
  expect([told, await redis.exists(`${keys.queuePrefix(LANE)}:job:x`, 'another')]).toEqual([[], 2]);
});
