import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import type { Redis } from 'ioredis';
import { MAX_STARTS } from '../jobs/job';
import { createJobId } from '../jobs/job-id';
import { connectRedis } from './connect-redis';
import { defineJobCommands, type TakeVerdict } from './job-record';
import { createRedisKeys } from '../redis-layout/redis-keys';

const keys = createRedisKeys(`t-${randomBytes(5).toString('hex')}`);
let redis: Redis;
beforeAll(() => {
  const url = process.env['PYTHON3_TEST_REDIS_URL'] ?? '';
  redis = defineJobCommands(connectRedis(url, { profile: 'patient', name: 'test', onError: () => undefined }));
});
afterAll(async () => {
  await redis.quit();
});

async function accept(): Promise<string> {
  const record = keys.jobRecord('default', createJobId('default'));
  await redis.hset(record, 'job', 'head', 'state', 'waiting');
  await redis.pexpire(record, 60_000);
  return record;
}
const take = async (record: string, token: string, delivery = 'at-most-once'): Promise<TakeVerdict> =>
  (await redis.takeJob(record, token, 'node', Date.now(), delivery, MAX_STARTS, 'run'))[0];

it('a start that is taken back counts as none', async () => {
  const record = await accept();
  for (const token of ['a', 'b', 'c', 'd', 'e']) {
    expect(await take(record, token)).toBe('start');
    expect(await redis.undoStart(record, token)).toBe(1);
    expect(await redis.hget(record, 'state')).toBe('waiting');
  }
  expect(await take(record, 'f')).toBe('start');
  expect(await take(record, 'g')).toBe('lost');
});

it('takes back the last attempt only', async () => {
  const record = await accept();
  await take(record, 'a', 'at-least-once');
  await take(record, 'b', 'at-least-once');
  expect(await redis.undoStart(record, 'b')).toBe(1);
  expect(JSON.parse((await redis.hget(record, 'attempts')) ?? '')).toMatchObject([{ number: 1 }]);
  expect(await redis.hget(record, 'state')).toBe('active');
});

it('is for the holder of the token alone, and not for what has ended', async () => {
  const record = await accept();
  await take(record, 'a', 'at-least-once');
  await take(record, 'b', 'at-least-once');
  expect(await redis.undoStart(record, 'a')).toBe(0);
  await redis.hset(record, 'state', 'finished');
  expect(await redis.undoStart(record, 'b')).toBe(0);
  expect(await redis.undoStart(`${record}-none`, 'b')).toBe(0);
  expect(await redis.exists(`${record}-none`)).toBe(0);
});
