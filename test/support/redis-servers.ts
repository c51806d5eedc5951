import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis, type RedisOptions } from 'ioredis';
import { freePort } from './test-redis';
import { waitFor } from './wait-for';

export interface ServerOptions {
  readonly port?: number;
  readonly directory?: string;
  /** In redis.conf's own words; later ones win. By default: append-only file every second, nothing evicted. */
  readonly settings?: readonly string[];
  /** How a test's own client connects. */
  readonly client?: Omit<RedisOptions, 'replyMapping'>;
  readonly isSentinel?: boolean;
}

/** A real server process on loopback, for one test, to be stopped, killed and frozen at will. */
export class RedisServer {
  readonly directory: string;
  private constructor(
    readonly port: number,
    readonly client: Redis,
    private readonly child: ChildProcess,
    private readonly options: ServerOptions,
    private readonly exited: Promise<void>,
  ) {
    this.directory = options.directory ?? '';
  }

  static async start(given: ServerOptions = {}): Promise<RedisServer> {
    const port = given.port ?? (await freePort());
    const options = { ...given, port, directory: given.directory ?? mkdtempSync(join(tmpdir(), 'python3-test-redis-')) };
    const defaults = ['appendonly yes', 'appendfsync everysec', 'save ""', 'maxmemory-policy noeviction', 'repl-diskless-sync-delay 0'];
    const path = join(options.directory, `${port}.conf`);
    const lines = [
      `port ${port}`,
      'bind 127.0.0.1',
      `dir ${options.directory}`,
      ...(given.isSentinel ? [] : defaults),
      ...(given.settings ?? []),
    ];
    writeFileSync(path, `${lines.join('\n')}\n`);
    const command = JSON.parse(process.env['PYTHON3_TEST_REDIS'] ?? '{"file":"redis-server","env":{}}') as {
      file: string;
      argv0?: string;
      env: Record<string, string>;
    };
    const child = spawn(command.file, [path, ...(given.isSentinel ? ['--sentinel'] : [])], {
      env: { ...process.env, ...command.env },
      stdio: 'ignore',
      ...(command.argv0 === undefined ? {} : { argv0: command.argv0 }),
    });
    const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()));
    const client = new Redis({
      port,
      host: '127.0.0.1',
      protocol: 2,
      maxRetriesPerRequest: null,
      retryStrategy: () => 30,
      ...given.client,
    });
    client.on('error', () => undefined);
    const server = new RedisServer(port, client, child, options, exited);
    await waitFor('the server', () => client.status === 'ready' && child.exitCode === null, 10_000);
    return server;
  }

  get url(): string {
    return `redis://127.0.0.1:${this.port}/0`;
  }

  /** Again on its port and files, with other settings. */
  restart(settings: readonly string[] = []): Promise<RedisServer> {
    return RedisServer.start({ ...this.options, settings });
  }

  /** Connections stay, answers do not come. */
  freeze(): void {
    this.child.kill('SIGSTOP');
  }

  thaw(): void {
    this.child.kill('SIGCONT');
  }

  /** Leaves its files for a restart. */
  async end(signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
    this.client.disconnect();
    this.thaw();
    this.child.kill(signal);
    await this.exited;
  }

  async stop(): Promise<void> {
    await this.end();
    rmSync(this.directory, { recursive: true, force: true });
  }
}

/** A primary with one replica that is in step with it. */
export async function startReplicated(settings: readonly string[] = []): Promise<{ primary: RedisServer; replica: RedisServer }> {
  const client = passwordOf(settings);
  const primary = await RedisServer.start({ settings, client });
  const replica = await RedisServer.start({ settings: [...settings, `replicaof 127.0.0.1 ${primary.port}`], client });
  await waitFor('the replica', async () => /state=online/.test(await primary.client.info('replication'))).catch(async (error: unknown) => {
    await Promise.all([primary.stop(), replica.stop()]);
    throw error;
  });
  return { primary, replica };
}

/** Three sentinels that watch a primary, with a password of their own. */
export async function startSentinels(
  primary: RedisServer,
  name: string,
  password: string,
  primaryPassword: string,
): Promise<RedisServer[]> {
  const sentinels = await Promise.all(
    [0, 1, 2].map(() =>
      RedisServer.start({
        isSentinel: true,
        settings: [
          `requirepass ${password}`, `sentinel sentinel-pass ${password}`,
          `sentinel monitor ${name} 127.0.0.1 ${primary.port} 2`, `sentinel auth-pass ${name} ${primaryPassword}`,
          `sentinel down-after-milliseconds ${name} 500`, `sentinel failover-timeout ${name} 3000`,
        ],
        client: { password },
      }),
    ),
  ); // prettier-ignore
  for (const sentinel of sentinels)
    await waitFor('the sentinels to know each other and the replica', async () => {
      const flat = (await sentinel.client.call('sentinel', 'master', name)) as string[];
      const about = new Map(flat.flatMap((value, index) => (index % 2 === 0 ? [[value, flat[index + 1]] as const] : [])));
      return about.get('num-other-sentinels') === '2' && about.get('num-slaves') === '1';
    });
  return sentinels;
}

const SLOTS = 16_384;

/** Nodes that share the slots evenly; each has a third of the lanes, or so. */
export async function startRedisCluster(count = 3): Promise<RedisServer[]> {
  const nodes = await Promise.all(
    Array.from({ length: count }, () => RedisServer.start({ settings: ['cluster-enabled yes', 'cluster-node-timeout 2000'] })),
  );
  for (const [index, node] of nodes.entries()) {
    const slots = Array.from({ length: SLOTS }, (_, slot) => slot).filter((slot) => Math.floor((slot * count) / SLOTS) === index);
    await node.client.call('cluster', 'addslots', ...slots);
    await node.client.call('cluster', 'set-config-epoch', index + 1);
    if (index > 0) await node.client.call('cluster', 'meet', '127.0.0.1', nodes[0]?.port ?? 0);
  }
  for (const node of nodes)
    await waitFor('the cluster', async () => {
      const info = String(await node.client.call('cluster', 'info'));
      return /cluster_state:ok/.test(info) && info.includes(`cluster_known_nodes:${count}`);
    });
  return nodes;
}

const passwordOf = (settings: readonly string[]): Pick<RedisOptions, 'password'> => {
  const password = settings.map((line) => /^requirepass (\S+)$/.exec(line)?.[1]).find((found) => found !== undefined);
  return password === undefined ? {} : { password };
};
