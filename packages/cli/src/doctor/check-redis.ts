import { connectRedis, inspectRedis, within, type Config, type Finding } from '@python3-cluster/shared';
import { findRedis } from '../provision/find-redis';
import { fail, ok, warn, type CheckResult } from './check';

const ANSWER_MS = 3_000;

/** The Redis in use, or, without REDIS_URL, the server that `start` would run. */
export async function checkRedis(config: Config | undefined, dataDirectory: string): Promise<CheckResult[]> {
  if (config !== undefined && config.redisUrl !== '') return checkServer(config);
  const found = await findRedis(dataDirectory, () => undefined);
  return [
    found === undefined
      ? warn('Redis', 'no server found', 'install redis-server or valkey-server, or set REDIS_URL; `npm start` tries to install one')
      : ok('Redis', `${found.file} ${found.version}; \`start\` runs it`),
  ];
}

const NAMES: Readonly<Record<Finding['about'], string>> = {
  version: 'Redis',
  eviction: 'Redis eviction',
  persistence: 'Redis persistence',
  replicas: 'Redis replicas',
  clock: 'Clock',
};

const REMEDIES: Readonly<Record<Finding['about'], string>> = {
  version: 'install Redis 6.2 or newer, or Valkey',
  eviction: 'set maxmemory-policy noeviction in redis.conf, and by CONFIG SET',
  persistence: 'set appendonly yes and appendfsync everysec (always for PYTHON3_DURABILITY=disk); deploy/redis/redis.conf has all of it',
  replicas: 'connect a replica, or take another PYTHON3_DURABILITY',
  clock: 'keep both clocks by NTP (chrony, systemd-timesyncd)',
};

/** The same checks as at the start of `api` and `worker`. */
async function checkServer(config: Config): Promise<CheckResult[]> {
  let lastError = '';
  const onError = (error: Error): void => void (lastError = error.message);
  const redis = connectRedis(config, { profile: 'patient', name: 'python3-doctor', onError });
  try {
    // Of a Cluster, its nodes are known once it is ready.
    const ready = redis.status === 'ready' ? Promise.resolve() : new Promise<void>((resolve) => redis.once('ready', () => resolve()));
    await within(ANSWER_MS, ready, 'Redis');
    const findings = await within(ANSWER_MS, inspectRedis(redis, config.durability), 'Redis');
    return findings.map(({ about, verdict, text }) => ({
      name: NAMES[about],
      verdict,
      text,
      ...(verdict !== 'ok' && { remedy: REMEDIES[about] }),
    }));
  } catch {
    return [
      fail(
        'Redis',
        `REDIS_URL does not answer within 3 s${lastError === '' ? '' : `: ${lastError}`}`,
        'see that Redis runs, that this host reaches it, and that user and password in REDIS_URL are right',
      ),
    ];
  } finally {
    redis.disconnect();
  }
}
