import { afterEach, describe, expect, it } from '@jest/globals';
import type { Redis } from 'ioredis';
import { waitForLastTimers } from '../../../../test/support/last-timers';
import { waitFor } from '../../../../test/support/wait-for';
import { connectRedis, type ConnectionProfile } from './connect-redis';

const opened: Redis[] = [];
waitForLastTimers();
afterEach(() => {
  for (const redis of opened.splice(0)) redis.disconnect();
});

function open(profile: ConnectionProfile): Redis {
  const redis = connectRedis(process.env['PYTHON3_TEST_REDIS_URL'] ?? '', { profile, name: 'test', onError: () => undefined });
  opened.push(redis);
  return redis;
}

/** Unlike `once` of Node, not ended by the error that is told on the way. */
const next = (redis: Redis, event: 'end' | 'ready'): Promise<void> => new Promise((resolve) => redis.once(event, () => resolve()));

/** What the failover detector of ioredis does. */
const closeConnector = (redis: Redis): void => (redis as unknown as { connector: { disconnect(): void } }).connector.disconnect();

describe.each<ConnectionProfile>(['fail-fast', 'patient'])('a %s connection', (profile) => {
  it('that is cut off while it is being made comes back, and its duplicate as well', async () => {
    const redis = open(profile);
    closeConnector(redis);
    await next(redis, 'end');
    await next(redis, 'ready');
    expect(await redis.ping()).toBe('PONG');

    const copy = redis.duplicate();
    opened.push(copy);
    copy.on('error', () => undefined);
    closeConnector(copy);
    await next(copy, 'end');
    await next(copy, 'ready');
    expect(await copy.ping()).toBe('PONG');
  });

  it('that is closed stays closed, also while it waits to come back, until somebody connects it', async () => {
    const redis = open(profile);
    await next(redis, 'ready');
    await redis.quit();
    await waitFor('its end', () => redis.status === 'end');

    await redis.connect();
    expect(await redis.ping()).toBe('PONG');
    redis.disconnect();
    await waitFor('its end', () => redis.status === 'end');

    const other = open(profile);
    closeConnector(other);
    await next(other, 'end');
    let came = 0;
    other.on('connecting', () => (came += 1));
    other.disconnect();
    // Longer than the first pause may be.
    await new Promise((resolve) => setTimeout(resolve, 250));
    expect([redis.status, other.status, came]).toEqual(['end', 'end', 0]);
  });
});
