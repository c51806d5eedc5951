import { connectRedis, within } from '@python3-cluster/shared';
import { findRedis } from '../provision/find-redis';
import { fail, ok, warn, type CheckResult } from './check';

const ANSWER_MS = 3_000;

/** The Redis in use, or, without REDIS_URL, the server that `start` would run. */
export async function checkRedis(redisUrl: string, dataDirectory: string): Promise<CheckResult[]> {
  if (redisUrl !== '') return checkServer(redisUrl);
  const found = await findRedis(dataDirectory, () => undefined);
  return [
    found === undefined
      ? warn('Redis', 'no server found; `start` will try to install one, or set REDIS_URL')
      : ok('Redis', `${found.file} ${found.version}; \`start\` runs it`),
  ];
}

/** Reads what decides whether accepted jobs survive: eviction, persistence, version, clock. */
async function checkServer(url: string): Promise<CheckResult[]> {
  const redis = connectRedis(url, { profile: 'patient', name: 'python3-doctor', onError: () => undefined });
  try {
    const info = parseInfo(await within(ANSWER_MS, redis.info(), 'Redis'));
    const [seconds] = await redis.time();
    const skewMs = Math.abs(Date.now() - Number(seconds) * 1_000);
    return [
      ok('Redis', `version ${info.get('redis_version')} answers`),
      info.get('maxmemory_policy') === 'noeviction'
        ? ok('Redis eviction', 'noeviction')
        : fail('Redis eviction', `maxmemory-policy is ${info.get('maxmemory_policy')}: accepted jobs can vanish; set noeviction`),
      info.get('aof_enabled') === '1'
        ? ok('Redis persistence', 'append-only file is on')
        : warn('Redis persistence', 'appendonly is off: accepted jobs do not survive a restart of Redis'),
      skewMs < 5_000
        ? ok('Clock', 'agrees with Redis')
        : warn('Clock', `differs from Redis by ${Math.round(skewMs / 1_000)} s: signatures may look expired`),
    ];
  } catch {
    return [fail('Redis', 'REDIS_URL does not answer within 3 s')];
  } finally {
    redis.disconnect();
  }
}

function parseInfo(text: string): Map<string, string> {
  return new Map(text.split('\r\n').flatMap((line) => (line.includes(':') ? [line.split(':', 2) as [string, string]] : [])));
}
