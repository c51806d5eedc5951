import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, expect, it } from '@jest/globals';
import type { Redis } from 'ioredis';
import { connectForRecords } from '../../test/record-under-test';
import { createJobId } from '../jobs/job-id';
import { finishJobKeys, MAX_PUBLISHED_BYTES } from '../redis/job-record';
import { createRedisKeys, type RedisKeys } from '../redis-layout/redis-keys';
import { defineAddSamples, type SampleBatch } from './add-samples';
import { formatTally, type Tally } from './tally';

let redis: Redis;
let keys: RedisKeys;
beforeAll(() => {
  redis = connectForRecords(process.env['PYTHON3_TEST_REDIS_URL']);
  defineAddSamples(redis);
});
beforeEach(() => {
  keys = createRedisKeys(`t-${randomBytes(5).toString('hex')}`);
});
afterAll(async () => void (await redis.quit()));

const SUCCESS: Tally = { status: 'succeeded', kind: 'exec', worker: 'node-1' };

async function take(id: string): Promise<void> {
  await redis.hset(keys.jobRecord('default', id), 'job', 'head', 'state', 'active', 'token', 't');
}
async function finish(tally: Tally, owner = 'key:a', id = createJobId('default')): Promise<string> {
  await take(id);
  const values = ['t', Buffer.from('o'), 60_000, '', id, MAX_PUBLISHED_BYTES, formatTally(tally)] as const;
  return redis.finishJob(...finishJobKeys(keys, 'default', id, owner), ...values);
}

/** Counters of all minutes there are: a test may run into the next. */
async function minuteCounts(): Promise<Record<string, string>> {
  const names = await redis.keys(keys.minuteCounts('default', 0).replace(/0$/, '*'));
  const hashes = await Promise.all(names.map((name) => redis.hgetall(name)));
  return Object.assign({}, ...hashes) as Record<string, string>;
}
const isLossless = async (): Promise<boolean> => (await redis.keys(keys.minuteCounts('default', 0).replace(/0$/, '*'))).length === 1;

it('an outcome is counted with its lane, minute, worker node, caller, program and error type', async () => {
  await finish({ ...SUCCESS, kind: 'call', program: 'math.sqrt' });
  await finish({ ...SUCCESS, status: 'failed', kind: 'call', program: 'math.sqrt', errorType: 'ValueError' });
  expect(await redis.hgetall(keys.counts('default'))).toEqual({ 'jobs:call:succeeded': '1', 'jobs:call:failed': '1' });
  expect(await minuteCounts()).toMatchObject({ 'jobs:call:failed:node-1': '1' });
  const expected = { 'jobs:call:succeeded': '1', 'jobs:call:failed': '1', 'error:ValueError': '1' };
  expect(await redis.hgetall(keys.namedCounts('default', 'program', 'math.sqrt'))).toEqual(expected);
  expect(await redis.hgetall(keys.namedCounts('default', 'caller', 'key:a'))).toEqual(expected);
  expect(await redis.zrange(keys.countedNames('default', 'errors'), 0, '-1', 'WITHSCORES')).toEqual(['ValueError', '1']);
});

it('a job counts once: not for an outcome that is refused, nor for a stale one', async () => {
  const id = createJobId('default');
  await finish(SUCCESS, 'key:a', id);
  expect(await redis.finishJob(...finishJobKeys(keys, 'default', id, 'key:a'), 't', Buffer.from('o'), 60_000, '', id, 1, formatTally(SUCCESS))).toBe('finished');
  await take(id);
  expect(await redis.finishJob(...finishJobKeys(keys, 'default', id, 'key:a'), 'x', Buffer.from('o'), 60_000, '', id, 1, formatTally(SUCCESS))).toBe('stale');
  expect(await redis.hgetall(keys.counts('default'))).toEqual({ 'jobs:exec:succeeded': '1' });
}); // prettier-ignore

it('a syntax check is counted as one, and as no job', async () => {
  await finish({ ...SUCCESS, kind: 'check' });
  expect(await redis.hgetall(keys.counts('default'))).toEqual({ 'jobs:check:succeeded': '1' });
  expect(await minuteCounts()).toEqual({});
  expect(await redis.exists(keys.countedNames('default', 'callers'))).toBe(0);
});

it('names that callers choose are bounded, and those that come often stay', async () => {
  for (let run = 0; run < 3; run += 1) await finish({ ...SUCCESS, kind: 'call', program: 'plant.report' });
  for (let index = 0; index < 300; index += 1)
    await finish({ ...SUCCESS, status: 'failed', kind: 'call', program: `junk.f${index}`, errorType: `E${index}` }, `key:${index}`);
  for (const family of ['programs', 'callers', 'errors'] as const)
    expect(await redis.zcard(keys.countedNames('default', family))).toBe(200);
  for (const member of ['program', 'caller'] as const) expect(await redis.keys(keys.namedCounts('default', member, '*'))).toHaveLength(200);
  expect(await redis.zscore(keys.countedNames('default', 'programs'), 'plant.report')).toBe('3');
  expect(await redis.hgetall(keys.counts('default'))).toEqual({ 'jobs:call:succeeded': '3', 'jobs:call:failed': '300' });
});

it('error types of one program are bounded', async () => {
  for (let index = 0; index < 200; index += 1)
    await finish({ ...SUCCESS, status: 'failed', kind: 'call', program: 'a.b', errorType: `E${index}` });
  const fields = await redis.hgetall(keys.namedCounts('default', 'program', 'a.b'));
  expect(Object.keys(fields).length).toBeLessThanOrEqual(152);
  const errors = Object.entries(fields).filter(([field]) => field.startsWith('error:'));
  expect(errors.reduce((sum, [, count]) => sum + Number(count), 0)).toBe(200);
});

it.each(['a\nb', 'x'.repeat(129), 'evil{lane}', '\u0000', '"', '<b>', ''])('the name %j cannot forge a field', async (name) => {
  await finish({ ...SUCCESS, status: 'failed', program: name, errorType: name });
  expect(await redis.hgetall(keys.counts('default'))).toEqual({ 'jobs:exec:failed': '1' });
  const counted = name === '' ? [] : ['(other)'];
  expect(await redis.zrange(keys.countedNames('default', 'programs'), 0, '-1')).toEqual(counted);
  expect(await redis.zrange(keys.countedNames('default', 'errors'), 0, '-1')).toEqual(counted);
});

it('samples are added once, to what is counted, and widen its range', async () => {
  await finish({ ...SUCCESS, kind: 'call', program: 'math.sqrt' });
  const fields = ['run:12', 2, 'run:sum', 5_000];
  const batch = (least: number, most: number): SampleBatch => [
    ['', fields, ['run', least, most]],
    ['program:math.sqrt', fields, ['run', least, most]],
    ['program:math.gone', fields, []],
  ];
  const add = (least: number, most: number, sequence: string): Promise<0 | 1> =>
    redis.addSamples(keys.counts('default'), keys.queuePrefix('default'), JSON.stringify(batch(least, most)), keys.samplesMark('default', 'node-1'), sequence); // prettier-ignore
  expect(await add(1_000, 4_000, '1')).toBe(1);
  expect(await add(1_000, 4_000, '1')).toBe(0);
  expect(await add(2_000, 9_000, '2')).toBe(1);
  const expected = { 'run:12': '4', 'run:sum': '10000', 'run:min': '1000', 'run:max': '9000' };
  expect(await redis.hgetall(keys.counts('default'))).toMatchObject(expected);
  expect(await redis.hgetall(keys.namedCounts('default', 'program', 'math.sqrt'))).toMatchObject(expected);
  expect(await redis.exists(keys.namedCounts('default', 'program', 'math.gone'))).toBe(0);
  const minute = await minuteCounts();
  expect(minute['run:min']).toBeUndefined();
  if (await isLossless()) expect(minute).toMatchObject({ 'run:12': '4', 'run:sum': '10000' });
});
