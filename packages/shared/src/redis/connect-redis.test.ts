import { readFileSync } from 'node:fs';
import { createServer, type AddressInfo, type Socket } from 'node:net';
import { inspect } from 'node:util';
import { afterAll, afterEach, beforeAll, describe, expect, it, jest } from '@jest/globals';
import type { Redis } from 'ioredis';
import { hasOpenssl, TestAuthority, type Certificate } from '../../../../test/support/certificates';
import { waitForLastTimers } from '../../../../test/support/last-timers';
import { RedisServer, startRedisCluster } from '../../../../test/support/redis-servers';
import { freePort } from '../../../../test/support/test-redis';
import { waitFor } from '../../../../test/support/wait-for';
import { connectRedis, mastersOf, reconnectDelayMs, type ConnectionProfile, type RedisSettings } from './connect-redis';

const clients: Redis[] = [];
const stops: (() => unknown)[] = [];
afterEach(() => {
  for (const client of clients.splice(0)) client.disconnect();
});
afterAll(async () => {
  for (const stop of stops.reverse()) await stop();
});
waitForLastTimers();

interface Connected {
  readonly redis: Redis;
  readonly errors: Error[];
}

function connect(settings: RedisSettings | string, profile: ConnectionProfile = 'fail-fast'): Connected {
  const errors: Error[] = [];
  const redis = connectRedis(settings, { profile, name: 'test', onError: (error) => errors.push(error) });
  clients.push(redis);
  return { redis, errors };
}

const isReady = async ({ redis }: Connected): Promise<string> => {
  await waitFor('the connection', () => redis.status === 'ready', 5_000);
  return redis.set('k', 'v');
};

(hasOpenssl() ? describe : describe.skip)(hasOpenssl() ? 'TLS' : 'TLS (skipped: no openssl to make certificates with)', () => {
  let authority: TestAuthority;
  let other: TestAuthority;
  let shown: Certificate;
  let port: number;
  beforeAll(async () => {
    authority = new TestAuthority();
    other = new TestAuthority();
    stops.push(
      () => authority.remove(),
      () => other.remove(),
    );
    shown = authority.issue('client', 'DNS:client');
    port = await startTls(authority.issue('redis', 'IP:127.0.0.1'), 'optional');
  });

  /** Its plain port is off: who reaches it does so by TLS. */
  async function startTls({ cert, key }: Certificate, clientCertificates: 'optional' | 'yes'): Promise<number> {
    const tlsPort = await freePort();
    const read = (path: string): Buffer => readFileSync(path);
    const server = await RedisServer.start({
      settings: [
        'port 0', `tls-port ${tlsPort}`, `tls-cert-file ${cert}`, `tls-key-file ${key}`, `tls-ca-cert-file ${authority.ca}`,
        `tls-auth-clients ${clientCertificates}`,
      ],
      client: { port: tlsPort, tls: { ca: read(authority.ca), cert: read(shown.cert), key: read(shown.key), checkServerIdentity: () => undefined } },
    }); // prettier-ignore
    stops.push(() => server.stop());
    return tlsPort;
  }

  const url = (at: number): string => `rediss://127.0.0.1:${at}`;
  const refusal = async (settings: RedisSettings): Promise<string> => {
    const { redis, errors } = connect(settings);
    await waitFor('the refusal', () => errors.length > 0);
    expect(redis.status).not.toBe('ready');
    return errors.map((error) => `${error.message} ${(error as NodeJS.ErrnoException).code}`).join();
  };

  it('with the authority that signed: connected', async () => {
    expect(await isReady(connect({ redisUrl: url(port), redisTlsCa: authority.ca }))).toBe('OK');
  });

  it('with another authority, or with none named: refused', async () => {
    expect(await refusal({ redisUrl: url(port), redisTlsCa: other.ca })).toMatch(/certificate|SELF_SIGNED|UNABLE_TO/i);
    expect(await refusal({ redisUrl: url(port) })).toMatch(/certificate|SELF_SIGNED|UNABLE_TO/i);
  });

  it('with a certificate for another host: refused', async () => {
    const elsewhere = await startTls(authority.issue('elsewhere', 'DNS:redis.plant'), 'optional');
    expect(await refusal({ redisUrl: url(elsewhere), redisTlsCa: authority.ca })).toMatch(/ERR_TLS_CERT_ALTNAME_INVALID/);
  });

  it('unverified, if that is asked for', async () => {
    expect(await isReady(connect({ redisUrl: url(port), redisTlsVerify: false }))).toBe('OK');
  });

  it('shows a certificate of its own to a server that wants one', async () => {
    const strict = await startTls(authority.issue('strict', 'IP:127.0.0.1'), 'yes');
    expect(await refusal({ redisUrl: url(strict), redisTlsCa: authority.ca })).not.toBe('');
    const own = { redisTlsCert: shown.cert, redisTlsKey: shown.key };
    expect(await isReady(connect({ redisUrl: url(strict), redisTlsCa: authority.ca, ...own }))).toBe('OK');
  });
});

describe('a password', () => {
  const PASSWORD = 's3cret p@ss/word:%';
  const encoded = encodeURIComponent(PASSWORD);
  let server: RedisServer;
  beforeAll(async () => {
    server = await RedisServer.start({
      settings: ['user plant on >right ~* &* +@all', 'requirepass right'],
      client: { password: 'right' },
    });
    stops.push(() => server.stop());
  });

  it.each(['plant:right@', ':right@'])('is sent with its user: %s', async (user) => {
    expect(await isReady(connect(`redis://${user}127.0.0.1:${server.port}/3`))).toBe('OK');
    await server.client.select(3);
    expect(await server.client.exists('k')).toBe(1);
  });

  it.each([['fail-fast', 'redis'], ['patient', 'redis']] as const)('that is wrong stands in no error (%s, %s)', async (profile, scheme) => {
    const { redis, errors } = connect(`${scheme}://plant:${encoded}@127.0.0.1:${server.port}`, profile);
    const command = redis.get('k').catch((error: unknown) => error);
    await waitFor('the refusal', () => errors.length > 0);
    redis.disconnect();
    for (const error of [...errors, await command]) {
      expect(String(error)).not.toMatch(/p@ss/);
      expect(inspect(error, { depth: 9 })).not.toMatch(/p@ss|p%40ss/);
    }
    expect(errors[0]?.message).toContain('WRONGPASS');
  }); // prettier-ignore
});

describe('coming back', () => {
  it('takes up to a second, never the same time', () => {
    const delays = Array.from({ length: 1_000 }, () => reconnectDelayMs(9));
    expect(Math.min(...delays)).toBeGreaterThanOrEqual(50);
    expect(Math.max(...delays)).toBeLessThanOrEqual(1_050);
    for (const quarter of [0, 1, 2, 3])
      expect(delays.filter((delay) => Math.floor((delay - 50) / 250) === quarter).length).toBeGreaterThan(150);
    // soon at first
    expect(Math.max(...Array.from({ length: 100 }, () => reconnectDelayMs(1)))).toBeLessThan(151);
  });

  it.each([['redis', ''], ['redis+sentinel', '/plant'], ['redis+cluster', '']])('is spread, with %s', async (scheme, path) => {
    // Measured is what is waited for, not when it comes: on a busy machine timers that were spread are called together.
    const timers = jest.spyOn(globalThis, 'setTimeout');
    let attempts = 0;
    const sockets = new Set<Socket>();
    // Hangs up on whoever comes: a server that is going down.
    const server = createServer((socket) => {
      attempts += 1;
      sockets.add(socket.on('error', () => undefined));
      socket.destroy();
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    for (let index = 0; index < 10; index += 1) connect(`${scheme}://127.0.0.1:${(server.address() as AddressInfo).port}${path}`, 'patient');
    await waitFor('attempts', () => attempts >= 80);
    for (const client of clients.splice(0)) client.disconnect();
    await new Promise<void>((resolve) => server.close(() => resolve()));
    const delays = timers.mock.calls.map(([, delayMs]) => delayMs ?? 0).filter((delayMs) => !Number.isInteger(delayMs));
    timers.mockRestore();
    // Of those that come back in lockstep many would wait for the same time. A Cluster tries two addresses after each wait.
    expect(delays.length).toBeGreaterThanOrEqual(30);
    expect(new Set(delays).size).toBe(delays.length);
    expect(Math.max(...delays)).toBeGreaterThan(2 * Math.min(...delays));
  }); // prettier-ignore
});

it('a server that loads its data is asked again soon, whatever it says that it will still take', async () => {
  let isLoading = true;
  let askedWhileLoading = 0;
  const server = createServer((socket) => {
    socket.on('error', () => undefined);
    socket.on('data', (chunk: Buffer) => {
      // Each command begins with how many words it has.
      for (const command of chunk
        .toString()
        .split(/^\*\d+\r\n/m)
        .slice(1)) {
        const text = isLoading ? 'loading:1\r\nloading_eta_seconds:3600' : 'loading:0';
        const isInfo = /^\$4\r\ninfo\r\n/i.test(command);
        if (isInfo && isLoading) askedWhileLoading += 1;
        socket.write(isInfo ? `$${text.length}\r\n${text}\r\n` : '+OK\r\n');
      }
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { redis } = connect(`redis://127.0.0.1:${(server.address() as AddressInfo).port}`, 'patient');
  // Asked once it would not be asked again for 10 s, and a second time not within this test.
  await waitFor('it to be asked again and again', () => askedWhileLoading >= 4);
  isLoading = false;
  await waitFor('it to be ready', () => redis.status === 'ready');
  redis.disconnect();
  server.close();
});

describe('a Cluster', () => {
  it('whose node is gone: fail-fast says that nobody knows, or that it is away, and never waits', async () => {
    const nodes = await startRedisCluster(3);
    stops.push(...nodes.slice(1).map((node) => () => node.stop()));
    const { redis } = connect(`redis+cluster://127.0.0.1:${nodes[0]?.port},127.0.0.1:${nodes[1]?.port}`);
    await waitFor('it', () => redis.status === 'ready' && mastersOf(redis).length === 3);
    expect(mastersOf(redis)).toHaveLength(3);
    const tags = ['a', 'b', 'c', 'd', 'e', 'f', 'g'];
    await Promise.all(tags.map((tag) => redis.set(`{${tag}}k`, '1')));
    await nodes[0]?.stop();
    const startedAt = performance.now();
    const results = await Promise.allSettled(tags.map((tag) => redis.set(`{${tag}}k`, '2')));
    expect(performance.now() - startedAt).toBeLessThan(5_000);
    const failed = results.filter((result) => result.status === 'rejected');
    expect(failed.length).toBeGreaterThan(0);
    expect(failed.length).toBeLessThan(tags.length);
  });

  it('cannot be called by a database', () => {
    expect(() => connect('redis+cluster://127.0.0.1/3')).toThrow(/database/);
  });
});

it('sentinels by TLS are asked by TLS, and so is the primary', () => {
  const { redis } = connect({ redisUrl: 'rediss+sentinel://:p@127.0.0.1:1,127.0.0.1:2/plant?sentinelPassword=s', redisTlsVerify: true });
  expect(redis.options).toMatchObject({
    sentinels: [{ host: '127.0.0.1', port: 1 }, { host: '127.0.0.1', port: 2 }], name: 'plant', password: 'p', sentinelPassword: 's',
    enableTLSForSentinelMode: true, tls: { rejectUnauthorized: true }, sentinelTLS: { rejectUnauthorized: true },
  }); // prettier-ignore
});
