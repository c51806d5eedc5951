import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { GenericContainer, getContainerRuntimeClient } from 'testcontainers';

export interface TestRedis {
  readonly url: string;
  readonly pid: number | undefined;
  stop(): Promise<void>;
}

/** A container where a Docker engine answers, else a private redis-server. */
export async function startTestRedis(): Promise<TestRedis> {
  return (await hasContainerEngine()) ? startContainer() : startPrivateRedis();
}

async function hasContainerEngine(): Promise<boolean> {
  try {
    await getContainerRuntimeClient();
    return true;
  } catch {
    return false;
  }
}

async function startContainer(): Promise<TestRedis> {
  const container = await new GenericContainer('redis:7-alpine')
    .withExposedPorts(6379)
    .withCommand(['redis-server', '--appendonly', 'yes', '--maxmemory-policy', 'noeviction'])
    .start();
  return {
    url: `redis://${container.getHost()}:${container.getMappedPort(6379)}/0`,
    pid: undefined,
    stop: async () => void (await container.stop()),
  };
}

/** When the append-only file is synced to the disk. */
export type Fsync = 'everysec' | 'always';

/** The server that `scripts/run-tests.mjs` found or installed. */
export async function startPrivateRedis(options: { port?: number; directory?: string; fsync?: Fsync } = {}): Promise<TestRedis> {
  const command = JSON.parse(process.env['PYTHON3_TEST_REDIS'] ?? '{"file":"redis-server","env":{}}') as {
    file: string;
    argv0?: string;
    env: Record<string, string>;
  };
  const port = options.port ?? (await freePort());
  const directory = options.directory ?? mkdtempSync(join(tmpdir(), 'python3-test-redis-'));
  const args = ['--port', `${port}`, '--bind', '127.0.0.1', '--dir', directory, '--appendonly', 'yes', '--appendfsync', options.fsync ?? 'everysec', '--save', '', '--maxmemory-policy', 'noeviction']; // prettier-ignore
  const server = spawn(command.file, args, {
    env: { ...process.env, ...command.env },
    stdio: 'ignore',
    ...(command.argv0 === undefined ? {} : { argv0: command.argv0 }),
  });
  const exited = new Promise<void>((resolve) => server.once('exit', () => resolve()));
  const redis = new Redis(port, '127.0.0.1', { maxRetriesPerRequest: 100, retryStrategy: () => 50 });
  redis.on('error', () => undefined);
  await redis.ping();
  redis.disconnect();
  return {
    url: `redis://127.0.0.1:${port}/0`,
    pid: server.pid,
    stop: async () => {
      server.kill('SIGTERM');
      await exited;
      if (options.directory === undefined) rmSync(directory, { recursive: true, force: true });
    },
  };
}

export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address() as AddressInfo;
      server.close(() => resolve(port));
    });
  });
}
