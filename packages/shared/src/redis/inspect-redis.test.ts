import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import type { Redis } from 'ioredis';
import { pino } from 'pino';
import { RedisServer } from '../../../../test/support/redis-servers';
import { RewritingProxy } from '../../../../test/support/rewriting-proxy';
import { waitFor } from '../../../../test/support/wait-for';
import { connectRedis } from './connect-redis';
import { inspectRedis } from './inspect-redis';
import { judgeServer, type Durability, type ServerFacts } from './redis-requirements';
import { RedisSuitability } from './redis-suitability';

let server: RedisServer;
const clients: Redis[] = [];
beforeAll(async () => {
  server = await RedisServer.start();
});
afterEach(async () => {
  for (const client of clients.splice(0)) client.disconnect();
  for (const [name, value] of DEFAULTS) await server.client.config('SET', name, value);
});
afterAll(() => server.stop());

const DEFAULTS = [
  ['maxmemory-policy', 'noeviction'], ['appendonly', 'yes'], ['appendfsync', 'everysec'], ['no-appendfsync-on-rewrite', 'no'],
] as const; // prettier-ignore

function connect(url = server.url): Redis {
  const redis = connectRedis(url, { profile: 'fail-fast', name: 'test', onError: () => undefined });
  clients.push(redis);
  return redis;
}

async function verdicts(redis: Redis, durability: Durability): Promise<Record<string, string>> {
  await waitFor('the connection', () => redis.status === 'ready');
  const findings = await inspectRedis(redis, durability);
  return Object.fromEntries(
    findings.filter(({ verdict }) => verdict !== 'ok').map(({ about, verdict, text }) => [about, `${verdict}: ${text}`]),
  );
}

describe('a real server', () => {
  it.each<[setting: string, value: string, Durability, expected: Record<string, unknown>]>([
    ['appendfsync', 'everysec', 'process', {}],
    ['appendfsync', 'always', 'process', {}],
    ['appendfsync', 'always', 'disk', {}],
    ['maxmemory-policy', 'allkeys-lru', 'process', { eviction: expect.stringMatching(/^fail: .*allkeys-lru.*noeviction/) }],
    ['maxmemory-policy', 'volatile-ttl', 'disk', { eviction: expect.stringMatching(/^fail/), persistence: expect.stringMatching(/^fail/) }],
    ['appendonly', 'no', 'process', { persistence: expect.stringMatching(/^fail: .*appendonly yes/) }],
    ['appendonly', 'no', 'disk', { persistence: expect.stringMatching(/^fail/) }],
    ['appendonly', 'no', 'replica', { persistence: expect.stringMatching(/^warn/), replicas: expect.stringMatching(/^warn/) }],
    ['appendfsync', 'no', 'process', { persistence: expect.stringMatching(/^fail: appendfsync is no/) }],
    ['appendfsync', 'everysec', 'disk', { persistence: expect.stringMatching(/^fail: appendfsync is everysec.*needs appendfsync always/) }],
    ['appendfsync', 'everysec', 'replica', { replicas: expect.stringMatching(/^warn: no replica/) }],
  ])('with %s %s, at level %s', async (setting, value, durability, expected) => {
    await server.client.config('SET', setting, value);
    expect(await verdicts(connect(), durability)).toEqual(expected);
  });

  it('that does not sync while it rewrites its log is no disk', async () => {
    await server.client.config('SET', 'appendfsync', 'always');
    await server.client.config('SET', 'no-appendfsync-on-rewrite', 'yes');
    expect(await verdicts(connect(), 'process')).toEqual({});
    expect(await verdicts(connect(), 'disk')).toEqual({ persistence: expect.stringMatching(/^fail: no-appendfsync-on-rewrite/) });
  });

  it('that permits no CONFIG is judged by INFO, and the rest is a warning', async () => {
    await server.client.call('ACL', 'SETUSER', 'managed', 'on', '>secret', '~*', '&*', '+@all', '-config');
    const url = `redis://managed:secret@127.0.0.1:${server.port}`;
    expect(await verdicts(connect(url), 'disk')).toEqual({
      persistence: expect.stringMatching(/^warn: appendfsync could not be read.*appendfsync always/),
    });
    await server.client.config('SET', 'appendonly', 'no');
    expect(await verdicts(connect(url), 'disk')).toEqual({ persistence: expect.stringMatching(/^fail/) });
  });

  it('that permits no INFO either is used with warnings', async () => {
    await server.client.call('ACL', 'SETUSER', 'closed', 'on', '>secret', '~*', '&*', '+@all', '-config', '-info');
    const found = await verdicts(connect(`redis://closed:secret@127.0.0.1:${server.port}`), 'process');
    expect(Object.keys(found).sort()).toEqual(['eviction', 'persistence', 'version']);
    expect(Object.values(found).every((text) => text.startsWith('warn'))).toBe(true);
  });

  it('that is too old is refused', async () => {
    const version = /redis_version:(\S+)/.exec(await server.client.info('server'))?.[1] ?? '';
    const old = '5.0.9'.padEnd(version.length, '9').slice(0, version.length);
    const proxy = await RewritingProxy.start(server.port, `redis_version:${version}`, `redis_version:${old}`);
    try {
      expect(await verdicts(connect(`redis://127.0.0.1:${proxy.port}`), 'process')).toEqual({
        version: `fail: Redis ${old} is too old: use 6.2.0 or newer`,
      });
    } finally {
      for (const client of clients.splice(0)) client.disconnect();
      await proxy.stop();
    }
  });
});

const GOOD: ServerFacts = {
  version: '7.2.4', maxmemoryPolicy: 'noeviction', appendonly: true, appendfsync: 'always', noAppendfsyncOnRewrite: false, replicas: 1, skewMs: 0,
}; // prettier-ignore

it.each([['6.2.0', 'ok'], ['6.2.14', 'ok'], ['7.0', 'ok'], ['10.1.0', 'ok'], ['6.1.9', 'fail'], ['6.0.20', 'fail'], ['5.0.14', 'fail']])(
  'version %s is %s',
  (version, verdict) => {
    expect(judgeServer({ ...GOOD, version }, 'process').find(({ about }) => about === 'version')?.verdict).toBe(verdict);
  },
); // prettier-ignore

it.each([[0, 'ok'], [4_000, 'ok'], [-4_000, 'ok'], [6_000, 'warn'], [-90_000, 'warn']])('a clock that is off by %d ms: %s', (skewMs, verdict) => {
  expect(judgeServer({ ...GOOD, skewMs }, 'replica').find(({ about }) => about === 'clock')?.verdict).toBe(verdict);
}); // prettier-ignore

describe('the watch over a connection', () => {
  it('checks on the first connection and on each new one, and notices when the server is mended', async () => {
    const port = server.port;
    await server.client.config('SET', 'maxmemory-policy', 'allkeys-lru');
    const redis = connect(`redis://127.0.0.1:${port}`);
    const watch = new RedisSuitability({ redis, durability: 'process', logger: pino({ level: 'silent' }) });
    watch.start();
    await expect(watch.assertSuitable()).rejects.toMatchObject({ code: 'QUEUE_UNAVAILABLE' });
    await waitFor('the check', () => watch.state === 'unsuitable');
    await expect(watch.assertSuitable()).rejects.toMatchObject({
      code: 'REDIS_UNSUITABLE',
      message: expect.stringContaining('allkeys-lru'),
    });
    await server.client.config('SET', 'maxmemory-policy', 'noeviction');
    await waitFor('the second look', () => watch.state === 'suitable');
    await watch.assertSuitable();
    // Set wrong while nobody looks, then connected anew.
    await server.client.config('SET', 'appendfsync', 'no');
    expect(watch.state).toBe('suitable');
    redis.disconnect(true);
    await waitFor('the check of the new connection', () => watch.state === 'unsuitable');
    expect(watch.problems).toEqual([expect.stringContaining('appendfsync is no')]);
    watch.stop();
  });
});
