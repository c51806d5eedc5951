import { tmpdir } from 'node:os';
import { afterEach, expect, it, jest } from '@jest/globals';
import { connectRedis } from '@python3-cluster/shared';
import type { Redis } from 'ioredis';
import { pino } from 'pino';
import { HostWatch } from './host-watch';

let redis: Redis | undefined;
let watch: HostWatch | undefined;
afterEach(() => {
  jest.restoreAllMocks();
  watch?.stop();
  redis?.disconnect();
});

async function look(): Promise<HostWatch> {
  redis = connectRedis(process.env['PYTHON3_TEST_REDIS_URL'] ?? '', { profile: 'patient', name: 'test', onError: () => undefined });
  await redis.ping();
  watch = new HostWatch(redis, tmpdir(), pino({ level: 'silent' }));
  await watch.start();
  return watch;
}

it('tells how much room there is', async () => {
  const figures = (await look()).figures;
  expect(figures?.diskTotalBytes).toBeGreaterThan(1_000_000);
  expect(figures?.diskFreeBytes).toBeLessThanOrEqual(figures?.diskTotalBytes ?? 0);
});

it.each([5_000, -5_000])('tells that the clock is %i ms from that of Redis', async (offsetMs) => {
  const now = Date.now.bind(Date);
  jest.spyOn(Date, 'now').mockImplementation(() => now() + offsetMs);
  const { figures } = await look();
  expect(Math.round((figures?.clockOffsetMs ?? 0) / 1_000)).toBe(offsetMs / 1_000);
});
