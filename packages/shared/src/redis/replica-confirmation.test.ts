import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import type { Redis } from 'ioredis';
import { pino } from 'pino';
import { startReplicated, type RedisServer } from '../../../../test/support/redis-servers';
import { waitFor } from '../../../../test/support/wait-for';
import { connectRedis } from './connect-redis';
import { createRedisKeys } from '../redis-layout/redis-keys';
import { ReplicaConfirmation, type Written } from './replica-confirmation';

const keys = createRedisKeys('t');
const logger = pino({ level: 'silent' });
let primary: RedisServer;
let replica: RedisServer;
let redis: Redis;
let confirmation: ReplicaConfirmation;
beforeAll(async () => {
  ({ primary, replica } = await startReplicated());
  redis = connectRedis(primary.url, { profile: 'fail-fast', name: 'test', onError: () => undefined });
  confirmation = new ReplicaConfirmation({ redis, keys, waitMs: 300, logger });
  await waitFor('the connection', () => redis.status === 'ready');
});
afterEach(() => replica.thaw());
afterAll(async () => {
  confirmation.stop();
  redis.disconnect();
  await replica.stop();
  await primary.stop();
});

async function write(id: string, value = '1'): Promise<Written> {
  const written = { record: keys.jobRecord('default', id), field: 'queued', value };
  await primary.client.hset(written.record, written.field, value);
  return written;
}
const waits = async (): Promise<number> => Number(/cmdstat_wait:calls=(\d+)/.exec(await primary.client.info('commandstats'))?.[1] ?? 0);

describe('a replica', () => {
  it('that is there confirms a thousand writes of two lanes and one turn with one WAIT', async () => {
    const written = await Promise.all(Array.from({ length: 1_000 }, (_, index) => write(`a${index}`)));
    const before = await waits();
    // A busy machine may need some of the time.
    const patient = new ReplicaConfirmation({ redis, keys, waitMs: 10_000, logger });
    const answers = await Promise.all(written.map((each, index) => patient.confirm(index % 2 === 0 ? 'default' : 'vision', each)));
    patient.stop();
    expect(answers.every(Boolean)).toBe(true);
    expect((await waits()) - before).toBe(1);
    for (const { record } of written.slice(-3)) expect(await replica.client.hget(record, 'queued')).toBe('1');
  });

  it('confirms nothing that is not there, as after a failover to a server that never had it', async () => {
    const written = await write('b', 'token-1');
    expect(await confirmation.confirm('default', { ...written, value: 'token-2' })).toBe(false);
    expect(await confirmation.confirm('default', { ...written, record: 't:{default}:job:lost' })).toBe(false);
    expect(confirmation.isAvailable('default')).toBe(true);
  });

  it('that hangs confirms nothing; who comes meanwhile shares the next WAIT; once it is back it is noticed', async () => {
    replica.freeze();
    const before = await waits();
    const startedAt = performance.now();
    const first = confirmation.confirm('default', await write('c0'));
    await waitFor('its WAIT', async () => /cmd=wait/.test(String(await primary.client.client('LIST'))));
    const later = await Promise.all(Array.from({ length: 50 }, (_, index) => write(`c${index + 1}`)));
    const answers = await Promise.all([first, ...later.map((each) => confirmation.confirm('default', each))]);
    expect(answers.some(Boolean)).toBe(false);
    expect((await waits()) - before).toBe(2);
    expect(performance.now() - startedAt).toBeGreaterThan(500);
    expect(confirmation.isAvailable('default')).toBe(false);
    replica.thaw();
    await waitFor('it to be noticed', () => confirmation.isAvailable('default'));
    expect(await confirmation.confirm('default', await write('d'))).toBe(true);
  });
});
