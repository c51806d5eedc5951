import { ClusterError, connectRedis, within, type Config } from '@python3-cluster/shared';
import type { Redis } from 'ioredis';

const ANSWER_MS = 3_000;

/** Does something with the Redis of the configuration, over a connection of its own. @throws ClusterError QUEUE_UNAVAILABLE */
export async function withRedis<T>(config: Config, task: (redis: Redis) => Promise<T>): Promise<T> {
  let lastError = '';
  const redis = connectRedis(config, { profile: 'patient', name: 'python3-cli', onError: (error) => void (lastError = error.message) });
  try {
    const ready = redis.status === 'ready' ? Promise.resolve() : new Promise<void>((resolve) => redis.once('ready', () => resolve()));
    await within(ANSWER_MS, ready, 'Redis').catch(() => {
      throw new ClusterError('QUEUE_UNAVAILABLE', `REDIS_URL does not answer within 3 s${lastError === '' ? '' : `: ${lastError}`}`);
    });
    return await within(ANSWER_MS, task(redis), 'Redis');
  } finally {
    redis.disconnect();
  }
}
