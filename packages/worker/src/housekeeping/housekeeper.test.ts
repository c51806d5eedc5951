import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { connectRedis, createRedisKeys, Lease } from '@python3-cluster/shared';
import type { Redis } from 'ioredis';
import { pino } from 'pino';
import { waitFor } from '../../../../test/support/wait-for';
import { Housekeeper } from './housekeeper';

let redis: Redis;
beforeAll(() => {
  redis = connectRedis(process.env['PYTHON3_TEST_REDIS_URL'] ?? '', { profile: 'patient', name: 'test', onError: () => undefined });
});
afterAll(async () => {
  await redis.quit();
});
const keys = createRedisKeys(`t-${randomBytes(5).toString('hex')}`);

it('a lease is held by one, prolonged by its holder, handed back, and free after its time', async () => {
  const key = `${keys.housekeeper}-lease`;
  const [one, two] = [new Lease(redis, key, 'one', 60_000), new Lease(redis, key, 'two', 50)];
  expect([await one.hold(), await two.hold(), await one.hold()]).toEqual([true, false, true]);
  await two.release();
  expect(await two.hold()).toBe(false);
  await one.release();
  expect([await two.hold(), await one.hold()]).toEqual([true, false]);
  await waitFor('the lease to end', async () => one.hold());
  await one.release();
});

it('one node of many does the chores, for the lanes of all, and the next one when it stops', async () => {
  const done: string[] = [];
  const create = (workerId: string, lane: string): Housekeeper => {
    const run = async (lanes: readonly string[]): Promise<void> => {
      done.push(`${workerId} ${[...lanes].sort().join(',')}`);
      if (workerId === 'a') await Promise.reject(new Error('a chore that fails does not end the housekeeping'));
    };
    return new Housekeeper({ redis, keys, workerId, lanes: [lane], chores: [{ name: 'note', run }], logger: pino({ level: 'silent' }) });
  };
  const [a, b] = [create('a', 'default'), create('b', 'vision')];
  a.start();
  await waitFor('the first pass', () => done.length === 1);
  b.start();
  await waitFor('two passes for both lanes', () => done.filter((pass) => pass === 'a default,vision').length === 2);
  expect(done.filter((pass) => pass.startsWith('b'))).toEqual([]);
  await a.stop();
  await waitFor('the other to take over', () => done.includes('b default,vision'));
  await b.stop();
  expect(await redis.exists(keys.housekeeper)).toBe(0);
}, 30_000);
