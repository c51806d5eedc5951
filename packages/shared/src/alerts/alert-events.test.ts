import { randomBytes } from 'node:crypto';
import { afterEach, beforeEach, expect, it } from '@jest/globals';
import type { Redis } from 'ioredis';
import { pino } from 'pino';
import { waitFor } from '../../../../test/support/wait-for';
import { connectRedis } from '../redis/connect-redis';
import { createRedisKeys, type RedisKeys } from '../redis-layout/redis-keys';
import { KeyRing } from '../signing/key-ring';
import { AlertEvents, readAlertEvents, type AlertEvent } from './alert-events';
import { alertOnRefusals } from './alert-on-refusals';

const keyRing = new KeyRing('k'.repeat(40));
const logger = pino({ level: 'silent' });
let redis: Redis;
let keys: RedisKeys;
let events: AlertEvents;

beforeEach(() => {
  redis = connectRedis(process.env['PYTHON3_TEST_REDIS_URL'] ?? '', { profile: 'patient', name: 'test', onError: () => undefined });
  keys = createRedisKeys(`t-${randomBytes(5).toString('hex')}`);
  events = new AlertEvents({ redis, keys, keyRing, logger });
});
afterEach(() => {
  events.stop();
  redis.disconnect();
});

const read = (now = Date.now()): Promise<AlertEvent[]> => readAlertEvents({ redis, keys, keyRing }, 60_000, now);
const seen = async (count: number): Promise<AlertEvent[]> =>
  waitFor(`${count} events`, async () => {
    const all = await read();
    return all.length === count && all;
  });

it('what happens a thousand times is there once, and what is old is removed', async () => {
  for (let count = 0; count < 1_000; count += 1) events.report('RECORD_REFUSED', 'OUTCOME_UNVERIFIED', `the ${count}th`);
  events.report('BREAKER_OPEN', 'api-1', 'for 3 s');
  const all = await seen(2);
  expect(all.find(({ name }) => name === 'RECORD_REFUSED')).toMatchObject({ subject: 'OUTCOME_UNVERIFIED', detail: 'the 999th' });
  expect(await read(Date.now() + 61_000)).toEqual([]);
  expect(await redis.hlen(keys.alertEvents)).toBe(0);
});

it('what happens while Redis is away is told afterwards', async () => {
  await redis.ping();
  redis.disconnect();
  await waitFor('the connection to be gone', () => redis.status === 'end');
  events.report('BREAKER_OPEN', 'api-1', 'for 3 s');
  await redis.connect();
  expect(await seen(1)).toMatchObject([{ name: 'BREAKER_OPEN' }]);
});

it('what somebody without the key writes did not happen, and a subject is a plain word', async () => {
  events.report('JOB_SIGNATURE_REFUSED', `lane\n{"a": 1} ${'x'.repeat(200)}`, 'd'.repeat(1_000));
  const [genuine] = await seen(1);
  expect(genuine?.subject).toMatch(/^lane__[A-Za-z0-9._:-]{58}$/);
  expect(genuine?.detail).toHaveLength(200);
  const [field = '', sealed = ''] = Object.entries(await redis.hgetall(keys.alertEvents))[0] ?? [];
  await redis.hset(keys.alertEvents, { 'RECORD_REFUSED x': sealed, 'BREAKER_OPEN y': '{"version":1}' });
  expect(await read()).toHaveLength(1);
  expect(await redis.hkeys(keys.alertEvents)).toEqual([field]);
});

it('every refusal that is logged becomes an event: of jobs by lane, of records by code', () => {
  const reported: string[] = [];
  const watched = alertOnRefusals(logger, { report: (name, subject) => reported.push(`${name} ${subject}`) });
  watched.error({ event: 'security', errorCode: 'JOB_LANE_MISMATCH', lane: 'line-7' }, 'refused');
  watched.error({ event: 'security', errorCode: 'OUTCOME_UNVERIFIED' }, 'not believed');
  watched.error({ event: 'security', key: 'k' }, 'replaced');
  watched.error({ errorCode: 'INTERNAL' }, 'a defect');
  watched.error('text');
  watched.warn({ event: 'security' }, 'no refusal');
  expect(reported).toEqual(['JOB_SIGNATURE_REFUSED line-7', 'RECORD_REFUSED OUTCOME_UNVERIFIED', 'RECORD_REFUSED RECORD_UNVERIFIED']);
});
