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
      ? warn('Redis', 'no server found; `start` will try to install one, or set REDIS_URL')
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
    return findings.map(({ about, verdict, text }) => ({ name: NAMES[about], verdict, text }));
  } catch {
    return [fail('Redis', `REDIS_URL does not answer within 3 s${lastError === '' ? '' : `: ${lastError}`}`)];
  } finally {
    redis.disconnect();
  }
}
