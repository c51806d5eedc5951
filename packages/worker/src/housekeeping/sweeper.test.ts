import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, expect, it } from '@jest/globals';
import {
  connectRedis, createJobId, createRedisKeys, defineJobCommands, finishJobKeys, formatTally, MAX_PUBLISHED_BYTES, RECORD_OVERHEAD_BYTES,
  type RedisKeys,
} from '@python3-cluster/shared'; // prettier-ignore
import type { Redis } from 'ioredis';
import { pino } from 'pino';
import { Sweeper } from './sweeper';

const TALLY = formatTally({ status: 'succeeded', kind: 'exec', worker: 'node-1' });

const KILOBYTE = 1_024;
let redis: Redis;
let keys: RedisKeys;

beforeAll(() => {
  const url = process.env['PYTHON3_TEST_REDIS_URL'] ?? '';
  redis = defineJobCommands(connectRedis(url, { profile: 'patient', name: 'test', onError: () => undefined }));
});
beforeEach(() => {
  keys = createRedisKeys(`t-${randomBytes(5).toString('hex')}`);
});
afterAll(async () => {
  await redis.quit();
});

const createSweeper = (maxBytes: number, maxBytesPerOwner = 0): Sweeper =>
  new Sweeper({ redis, keys, maxBytes, maxBytesPerOwner, logger: pino({ level: 'silent' }) });

async function finish(lane: string, bytes: number, ttlMs = 60_000, owner = 'key:a'): Promise<string> {
  const id = createJobId(lane);
  await redis.hset(keys.jobRecord(lane, id), 'job', 'head', 'state', 'active', 'token', 't');
  const outcome = Buffer.alloc(bytes - RECORD_OVERHEAD_BYTES - 'head'.length, 7);
  await redis.finishJob(...finishJobKeys(keys, lane, id, owner), 't', outcome, ttlMs, '', id, MAX_PUBLISHED_BYTES, TALLY);
  return id;
}

const present = async (ids: readonly string[]): Promise<number[]> =>
  Promise.all(ids.map((id) => redis.exists(keys.jobRecord(id.split('.')[0] as string, id))));
/** Outcomes of one millisecond have no order among them. */
async function nextMillisecond(): Promise<void> {
  for (const before = Date.now(); Date.now() <= before + 1;) await new Promise((resolve) => setImmediate(resolve));
}

const bytesOf = async (lane: string): Promise<number> => Number(await redis.hget(keys.outcomeBytes(lane), 'key:a'));

it('the oldest outcomes go until the rest fits', async () => {
  const ids: string[] = [];
  for (let index = 0; index < 10; index += 1) {
    ids.push(await finish('default', 10 * KILOBYTE));
    await nextMillisecond();
  }
  expect(await bytesOf('default')).toBe(100 * KILOBYTE);
  await createSweeper(100 * KILOBYTE).run(['default']);
  expect(await present(ids)).toEqual(Array.from({ length: 10 }, () => 1));
  await createSweeper(35 * KILOBYTE).run(['default']);
  expect((await present(ids)).join('')).toBe('0000000111');
  expect([
    await bytesOf('default'),
    await redis.zcard(keys.outcomes('default', 'key:a')),
    await redis.zcard(keys.outcomeExpiry('default')),
  ]).toEqual([30 * KILOBYTE, 3, 3]);
});

it('many more than one script removes go in one pass', async () => {
  const ids = await Promise.all(Array.from({ length: 1_500 }, () => finish('default', 2 * KILOBYTE)));
  await createSweeper(20 * KILOBYTE).run(['default']);
  expect((await present(ids)).filter((exists) => exists === 1)).toHaveLength(10);
});

it('expired ones are forgotten, and take nobody’s place', async () => {
  const short = await finish('default', 10 * KILOBYTE, 1);
  const long = await finish('default', 10 * KILOBYTE);
  while ((await present([short]))[0] === 1) await new Promise((resolve) => setImmediate(resolve));
  await createSweeper(10 * KILOBYTE).run(['default']);
  expect(await present([long])).toEqual([1]);
  expect(await bytesOf('default')).toBe(10 * KILOBYTE);
});

it('the lane that holds most gives up first', async () => {
  const flood = await Promise.all(Array.from({ length: 40 }, () => finish('vision', 10 * KILOBYTE)));
  const quiet = await Promise.all(Array.from({ length: 4 }, () => finish('default', 10 * KILOBYTE)));
  await createSweeper(200 * KILOBYTE).run(['default', 'vision']);
  expect(await present(quiet)).toEqual([1, 1, 1, 1]);
  expect((await present(flood)).filter((exists) => exists === 1)).toHaveLength(16);
});

it('two sweepers at once remove no more than one', async () => {
  const ids = await Promise.all(Array.from({ length: 100 }, () => finish('default', 10 * KILOBYTE)));
  await Promise.all([createSweeper(500 * KILOBYTE), createSweeper(500 * KILOBYTE)].map((sweeper) => sweeper.run(['default'])));
  expect((await present(ids)).filter((exists) => exists === 1)).toHaveLength(50);
});

it('a lane without outcomes leaves no keys behind', async () => {
  await finish('default', 10 * KILOBYTE, 1);
  await new Promise((resolve) => setTimeout(resolve, 10));
  await createSweeper(10 * KILOBYTE).run(['default']);
  expect(await redis.exists(keys.outcomes('default', 'key:a'), keys.outcomeExpiry('default'), keys.outcomeBytes('default'))).toBe(0);
});

it('an owner that floods costs nobody else an outcome, on any lane', async () => {
  const quiet = [
    ...(await Promise.all(Array.from({ length: 5 }, () => finish('default', 10 * KILOBYTE, 60_000, 'key:quiet')))),
    ...(await Promise.all(Array.from({ length: 3 }, () => finish('vision', 10 * KILOBYTE, 60_000, 'loopback')))),
  ];
  await nextMillisecond();
  const flood = await Promise.all(
    Array.from({ length: 100 }, (_, index) => finish(index % 2 === 0 ? 'default' : 'vision', 10 * KILOBYTE, 60_000, 'key:flood')),
  );
  await createSweeper(200 * KILOBYTE).run(['default', 'vision']);
  // theirs are the oldest of all
  expect((await present(quiet)).join('')).toBe('11111111');
  expect((await present(flood)).filter((exists) => exists === 1)).toHaveLength(12);
});

it('one owner holds no more than its bound, however much room there is', async () => {
  const many = await Promise.all(Array.from({ length: 30 }, () => finish('default', 10 * KILOBYTE)));
  const few = await Promise.all(Array.from({ length: 3 }, () => finish('default', 10 * KILOBYTE, 60_000, 'key:b')));
  await createSweeper(10_000 * KILOBYTE, 100 * KILOBYTE).run(['default']);
  expect((await present(many)).filter((exists) => exists === 1)).toHaveLength(10);
  expect(await present(few)).toEqual([1, 1, 1]);
});
