import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { connectRedis, createRedisKeys, KeyRing, type RedisKeys } from '@python3-cluster/shared';
import type { Redis } from 'ioredis';
import { pino } from 'pino';
import { waitFor } from '../../../../test/support/wait-for';
import { IdempotencyRecords, type Reservation } from './idempotency-records';
import { RedisBreaker } from '../redis/redis-breaker';

let redis: Redis;
let keys: RedisKeys;
let records: IdempotencyRecords;
const breaker = new RedisBreaker();

const namespace = `t-${randomBytes(5).toString('hex')}`;

beforeAll(async () => {
  keys = createRedisKeys(namespace);
  redis = connectRedis(process.env['PYTHON3_TEST_REDIS_URL'] ?? '', { profile: 'fail-fast', name: 'test', onError: () => undefined });
  await new Promise((resolve) => redis.once('ready', resolve));
  records = new IdempotencyRecords({
    redis, keys, keyRing: new KeyRing('k'.repeat(32)), breaker, ttlMs: 60_000, logger: pino({ level: 'silent' }), mostKeysPerCaller: 3,
  }); // prettier-ignore
});
afterAll(() => {
  breaker.stop();
  redis.disconnect();
});

const make = (owner: string, key: string, jobId = 'job'): Reservation => ({ owner, key, fingerprint: `of ${key}`, jobId });
const recordsOf = (): Promise<string[]> => redis.keys(`${namespace}:*:once:*`);
const clear = async (): Promise<void> => void (await Promise.all((await redis.keys(`${namespace}:*`)).map((key) => redis.del(key))));

describe('a caller’s key', () => {
  it('is reserved by one of many at once; the others learn which job it stands for', async () => {
    const asked = Array.from({ length: 20 }, (_, index) => make('a', 'at once', `job-${index}`));
    const standings = await Promise.all(asked.map((reservation) => records.reserve(reservation)));
    const winners = asked.filter((_, index) => standings[index] === undefined);
    expect(winners).toHaveLength(1);
    for (const standing of standings.filter((found) => found !== undefined)) {
      expect(standing.reservation.jobId).toBe(winners[0]?.jobId);
      expect(standing.state).toBe('reserved');
      expect(standing.ageMs).toBeLessThan(10_000);
    }
  });

  it('is another caller’s own', async () => {
    expect(await records.reserve(make('b', 'x'))).toBeUndefined();
    expect(await records.reserve(make('c', 'x'))).toBeUndefined();
  });

  it('is free again when released, unless it stands for another job by then', async () => {
    const reservation = make('d', 'x');
    await records.reserve(reservation);
    await records.release({ ...reservation, jobId: 'another' });
    expect(await records.reserve(make('d', 'x', 'second'))).toMatchObject({ reservation: { jobId: 'job' } });
    await records.release(reservation);
    expect(await records.reserve(make('d', 'x', 'second'))).toBeUndefined();
  });

  it('is confirmed without living any longer', async () => {
    const reservation = make('e', 'x');
    await records.reserve(reservation);
    records.confirm(reservation);
    await waitFor('the confirmation', async () => (await records.reserve(make('e', 'x', 'other')))?.state === 'accepted');
    const [key = ''] = (await recordsOf()).filter((name) => name.includes(':once:'));
    expect(await redis.pttl(key)).toBeLessThanOrEqual(60_000);
  });

  it('beyond the most per caller pushes out the oldest', async () => {
    await clear();
    for (const key of ['1', '2', '3', '4', '5']) {
      await records.reserve(make('f', key));
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
    expect(await recordsOf()).toHaveLength(3);
    expect(await records.reserve(make('f', '5', 'again'))).toMatchObject({ reservation: { jobId: 'job' } });
    expect(await records.reserve(make('f', '1', 'again'))).toBeUndefined();
  });

  it('whose record was changed, moved or made up stands for nothing', async () => {
    await clear();
    await records.reserve(make('g', 'mine', 'my-job'));
    const [mine = ''] = await recordsOf();
    const sealed = (await redis.getBuffer(mine)) as Buffer;
    await redis.set(mine, sealed.toString('utf8').replace('my-job', 'xx-job'));
    expect(await records.reserve(make('g', 'mine', 'new-job'))).toBeUndefined();
    expect(await records.reserve(make('g', 'mine', 'third'))).toMatchObject({ reservation: { jobId: 'new-job' } });
    await redis.set(mine, 'nonsense');
    expect(await records.reserve(make('g', 'mine', 'fourth'))).toBeUndefined();
    // a record of another key, sealed by us, but for there
    await records.reserve(make('g', 'other', 'other-job'));
    const other = (await recordsOf()).find((name) => name !== mine) ?? '';
    await redis.set(mine, (await redis.getBuffer(other)) as Buffer);
    expect(await records.reserve(make('g', 'mine', 'fifth'))).toBeUndefined();
  });
});
