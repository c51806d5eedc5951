import { randomBytes } from 'node:crypto';
import { afterEach, beforeEach, expect, it } from '@jest/globals';
import { CANCEL_LOOK_MS, connectRedis, createRedisKeys, type ClaimVerdict } from '@python3-cluster/shared';
import type { Redis } from 'ioredis';
import { pino } from 'pino';
import { waitFor } from '../../../../test/support/wait-for';
import { CancelWatch } from './cancel-watch';

const keys = createRedisKeys(`t-${randomBytes(5).toString('hex')}`);
const connect = (): Redis =>
  connectRedis(process.env['PYTHON3_TEST_REDIS_URL'] ?? '', { profile: 'patient', name: 'test', onError: () => undefined });

let redis: Redis;
let watch: CancelWatch;
let heard: string[];
let settle: (jobId: string) => Promise<ClaimVerdict>;
beforeEach(async () => {
  heard = [];
  settle = () => Promise.resolve('running');
  redis = connect();
  const lane = (name: string) => ({
    lane: name,
    cancel: (jobId: string) => void heard.push(`cancel ${name} ${jobId}`),
    settle: (jobId: string) => {
      heard.push(`settle ${name} ${jobId}`);
      return settle(jobId);
    },
  });
  const subscriber = connect();
  watch = new CancelWatch({ subscriber, redis, keys, lanes: [lane('a'), lane('b')], logger: pino({ level: 'silent' }) });
  watch.start();
  await waitFor('its subscription', async () => {
    const counts = await redis.pubsub('NUMSUB', keys.cancelChannel('a'), keys.cancelChannel('b'));
    return counts[1] === 1 && counts[3] === 1;
  });
});
afterEach(async () => {
  await watch.stop();
  await redis.del(keys.cancels('a'), keys.cancels('b'));
  redis.disconnect();
});

it('a message reaches the lane it was sent to, and no other', async () => {
  await redis.publish(keys.cancelChannel('b'), 'b.1');
  await redis.publish(keys.cancelChannel('c'), 'c.1');
  await waitFor('the message', () => heard.length === 2);
  expect(heard).toEqual(['settle b b.1', 'cancel b b.1']);
});

it.each<ClaimVerdict>(['unasked', 'unknown', 'finished'])('a message about a job whose record is %s ends nothing', async (verdict) => {
  settle = () => Promise.resolve(verdict);
  await redis.publish(keys.cancelChannel('a'), 'a.1');
  await waitFor('the message', () => heard.length > 0);
  await redis.ping();
  expect(heard).toEqual(['settle a a.1']);
});

it('what stands in the list is found without a message, again and again until it is settled', async () => {
  settle = async (jobId) => {
    if (heard.length < 3) throw new Error('Redis says no');
    await redis.zrem(keys.cancels('a'), jobId);
    return 'cancel';
  };
  await redis.zadd(keys.cancels('a'), 1, 'a.1');
  await waitFor('the third time', () => heard.length === 4, 4 * CANCEL_LOOK_MS + 1_000);
  expect(heard).toEqual([...Array.from({ length: 3 }, () => 'settle a a.1'), 'cancel a a.1']);
});

it('a connection that was lost is subscribed again', async () => {
  const clients = String(await redis.client('LIST', 'TYPE', 'PUBSUB'));
  const id =
    clients
      .split('\n')
      .find((line) => line.includes('name=test'))
      ?.match(/^id=(\d+)/)?.[1] ?? '';
  await redis.client('KILL', 'ID', id);
  await waitFor('its message', async () => {
    await redis.publish(keys.cancelChannel('a'), 'a.2');
    return heard.length > 0;
  });
});

it('a stop waits for what has begun, and hears of no more', async () => {
  let release = (): void => undefined;
  settle = () => new Promise((resolve) => (release = () => resolve('finished')));
  await redis.publish(keys.cancelChannel('a'), 'a.3');
  await waitFor('the message', () => heard.length === 1);
  let isStopped = false;
  const stopped = watch.stop().then(() => (isStopped = true));
  await redis.zadd(keys.cancels('a'), 1, 'a.4');
  await redis.ping();
  expect(isStopped).toBe(false);
  release();
  await stopped;
  expect(heard).toEqual(['settle a a.3']);
});
