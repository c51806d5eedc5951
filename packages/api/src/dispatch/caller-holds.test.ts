import { randomBytes } from 'node:crypto';
import { afterEach, beforeEach, expect, it } from '@jest/globals';
import { connectRedis, createJobId, createRedisKeys, HOLD_MS, RECORD_FIELDS, type Config, type RedisKeys } from '@python3-cluster/shared';
import type { Redis } from 'ioredis';
import { pino } from 'pino';
import { waitFor } from '../../../../test/support/wait-for';
import { CallerHolds } from './caller-holds';
import { QueueLimits } from './queue-limits';
import { RedisBreaker } from '../redis/redis-breaker';

const logger = pino({ level: 'silent' });
let redis: Redis;
let keys: RedisKeys;
let limits: QueueLimits;
let holds: CallerHolds;
let breaker: RedisBreaker;

beforeEach(async () => {
  keys = createRedisKeys(`t-${randomBytes(5).toString('hex')}`);
  redis = connectRedis(process.env['PYTHON3_TEST_REDIS_URL'] ?? '', { profile: 'fail-fast', name: 'test', onError: () => undefined });
  await new Promise((resolve) => redis.once('ready', resolve));
  breaker = new RedisBreaker();
  const config = { queueMaxJobs: 1_000, queueMaxBytes: 1_000_000 } as Config;
  limits = new QueueLimits({ redis, keys, config, breaker, servedLanes: () => [], logger });
  holds = new CallerHolds({ redis, keys, breaker, clockOf: (lane) => limits.clockOf(lane), logger });
});
afterEach(async () => {
  holds.stop();
  breaker.stop();
  const left = await redis.keys(`${keys.queuePrefix('*').slice(0, -3)}*`);
  if (left.length > 0) await redis.del(...left);
  redis.disconnect();
});

const DEMAND = { bytes: 1, isDelayed: false };
async function redisNow(): Promise<number> {
  const [seconds, micros] = await redis.time();
  return Number(seconds) * 1_000 + Number(micros) / 1_000;
}

it('whoever is admitted knows the clock of the lane, however many come first, and while a sample is under way', async () => {
  const underWay = limits.sample();
  const known = await Promise.all(
    [0, 1, 2].map(async () => {
      await limits.admit('default', DEMAND);
      return limits.clockOf('default')?.isKnown;
    }),
  );
  await underWay;
  expect(known).toEqual([true, true, true]);
});

it('a job whose lane’s clock is not known is not accepted', () => {
  expect(() => holds.grant({ id: 'default.1', lane: 'default' })).toThrow(expect.objectContaining({ code: 'QUEUE_UNAVAILABLE' }));
});

it('a hold is granted until the end of the time a command may take, and not a moment longer', async () => {
  await limits.admit('default', DEMAND);
  const until = holds.grant({ id: 'default.1', lane: 'default' });
  const before = await redisNow();
  expect(until).toBeLessThanOrEqual(before + HOLD_MS);
  await holds.lapse('default.1');
  expect(await redisNow()).toBeGreaterThanOrEqual(until);
});

it('kept holds are renewed by one command for all, others are not', async () => {
  await limits.admit('default', DEMAND);
  const ids = [0, 1, 2, 3].map(() => createJobId('default'));
  const heldUntil = (): Promise<number[]> =>
    Promise.all(ids.map(async (id) => Number(await redis.hget(keys.jobRecord('default', id), RECORD_FIELDS.heldUntil))));
  for (const id of ids) await redis.hset(keys.jobRecord('default', id), RECORD_FIELDS.heldUntil, holds.grant({ id, lane: 'default' }));
  const granted = await heldUntil();
  for (const id of ids.slice(0, 3)) holds.keep(id);
  holds.release(ids[2] as string);
  const sent: string[] = [];
  const sendCommand = redis.sendCommand.bind(redis);
  redis.sendCommand = (command, stream) => {
    if (command.name.startsWith('eval')) sent.push(command.name);
    return sendCommand(command, stream);
  };
  holds.start();
  await waitFor('a renewal', async () => (await heldUntil())[0] !== granted[0]);
  holds.stop();
  const renewed = await heldUntil();
  expect(renewed.map((until, index) => until > (granted[index] as number))).toEqual([true, true, false, false]);
  // The first may have been sent by its text, as Redis did not know it.
  expect(sent.length).toBeLessThanOrEqual(2);
});
