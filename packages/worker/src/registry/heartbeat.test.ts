import { randomBytes } from 'node:crypto';
import { tmpdir } from 'node:os';
import { afterEach, expect, it } from '@jest/globals';
import { connectRedis, createRedisKeys, PRODUCT_VERSION, type WorkerHeartbeat } from '@python3-cluster/shared';
import type { Redis } from 'ioredis';
import { pino } from 'pino';
import { TcpProxy } from '../../../../test/support/tcp-proxy';
import { waitFor } from '../../../../test/support/wait-for';
import { Heartbeat } from './heartbeat';
import { HostWatch } from './host-watch';

const target = new URL(process.env['PYTHON3_TEST_REDIS_URL'] ?? '');
const keys = createRedisKeys(`t-${randomBytes(5).toString('hex')}`);
const logger = pino({ level: 'silent' });
const opened: { readonly redis: Redis; readonly proxy: TcpProxy }[] = [];

afterEach(async () => {
  for (const { redis, proxy } of opened.splice(0)) {
    redis.disconnect();
    await proxy.stop();
  }
});

async function connectThroughProxy(): Promise<{ redis: Redis; proxy: TcpProxy }> {
  const proxy = await TcpProxy.start(Number(target.port));
  const url = Object.assign(new URL(target), { port: String(proxy.port) }).href;
  const redis = connectRedis(url, { profile: 'patient', name: 'test', onError: () => undefined });
  opened.push({ redis, proxy });
  await redis.ping();
  return { redis, proxy };
}

const describeNode = (): Omit<WorkerHeartbeat, 'sequence'> => ({
  id: 'node-1',
  nodeName: 'node',
  pid: process.pid,
  version: PRODUCT_VERSION,
  lanes: ['default'],
  level: 'D',
  isolation: {
    layers: { uid: false, namespaces: false, landlockAbi: 0, seccomp: false },
    reasons: { uid: 'off', namespaces: 'off', landlock: 'off', seccomp: 'off' },
  },
  python: { version: '3.11', fullVersion: '3.11.2', executable: '/usr/bin/python3' },
  pool: { size: 3, max: 4, inUse: 0, healthy: 3, waiting: 0 },
  startedAt: 0,
  draining: false,
});

it('a node that stops leaves the registry', async () => {
  const { redis } = await connectThroughProxy();
  const heartbeat = new Heartbeat(redis, keys, describeNode, new HostWatch(redis, tmpdir(), logger), logger);
  heartbeat.start();
  await waitFor('the first heartbeat', async () => (await redis.hexists(keys.workers, 'node-1')) === 1);
  await heartbeat.stop();
  expect(await redis.exists(keys.workers)).toBe(0);
});

it('a connection that freezes as the node signs off keeps it from stopping for a bounded time', async () => {
  const { redis, proxy } = await connectThroughProxy();
  const heartbeat = new Heartbeat(redis, keys, describeNode, new HostWatch(redis, tmpdir(), logger), logger);
  const stopped = heartbeat.stop();
  proxy.cut('frozen');
  await expect(stopped).rejects.toThrow('signing off');
});
