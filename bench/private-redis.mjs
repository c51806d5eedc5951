import { mkdirSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { startProcess, waitUntil } from './processes.mjs';

/** Above this the log is rewritten between two runs, so that Redis never forks to do so during one. */
const REWRITE_BYTES = 128 * 1024 * 1024;

export const REDIS_SETTINGS = 'AOF everysec, noeviction, no snapshots, loopback; log rewritten between runs only';

/** One Redis for all contestants, each in a database of its own. */
export async function startPrivateRedis(server, directory) {
  const port = await findFreePort();
  const data = join(directory, 'redis');
  mkdirSync(data);
  const settings = {
    port, bind: '127.0.0.1', dir: data, daemonize: 'no', save: '',
    appendonly: 'yes', appendfsync: 'everysec', 'maxmemory-policy': 'noeviction', 'auto-aof-rewrite-percentage': '0',
  }; // prettier-ignore
  const args = Object.entries(settings).flatMap(([name, value]) => [`--${name}`, String(value)]);
  const redis = startProcess({ name: 'redis-server', stage: 'redis', file: server.file, argv0: server.argv0, env: server.env, args });
  const client = new Redis({ host: '127.0.0.1', port, lazyConnect: true, retryStrategy: () => 50, maxRetriesPerRequest: null });
  client.on('error', () => undefined); // waitUntil tells why it does not answer
  client.connect().catch(() => undefined);
  await waitUntil(() => client.status === 'ready', { within: 10_000, what: 'Redis answers', processes: [redis] });

  return {
    pid: redis.pid,
    port,
    urlOf: (database) => `redis://127.0.0.1:${port}/${database}`,
    version: readField(await client.info('server'), 'redis_version'),
    /** Called between runs. */
    async settle() {
      if (Number(readField(await client.info('persistence'), 'aof_current_size')) < REWRITE_BYTES) return;
      await client.bgrewriteaof();
      const isRewritten = async () => /aof_rewrite_in_progress:0\r\naof_rewrite_scheduled:0/.test(await client.info('persistence'));
      await waitUntil(isRewritten, { within: 60_000, what: 'Redis has rewritten its log' });
    },
    /** Command → calls, and microseconds inside it, since the start. A script's own commands count beside it. */
    async commandStats() {
      const lines = (await client.info('commandstats')).matchAll(/^cmdstat_(.+?):calls=(\d+),usec=(\d+)/gm);
      return new Map([...lines].map(([, command, calls, us]) => [command, { calls: Number(calls), us: Number(us) }]));
    },
    disconnect: () => client.disconnect(),
  };
}

export function findFreePort() {
  return new Promise((resolve, reject) => {
    const server = createServer().once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });
}

const readField = (info, name) => new RegExp(`^${name}:(.*?)\\r?$`, 'm').exec(info)?.[1];
