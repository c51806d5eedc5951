import type { Redis } from 'ioredis';
import { isWrongType, openJobHead, RECORD_FIELDS, type Job, type KeyRing, type RedisKeys } from '@python3-cluster/shared';

interface HeadTools {
  readonly redis: Redis;
  readonly keys: RedisKeys;
  readonly keyRing: KeyRing;
}

/** What the API signed about a job, from its record; undefined where there is no such thing, whatever stands there instead. */
export async function readJobHead({ redis, keys, keyRing }: HeadTools, lane: string, jobId: string): Promise<Job | undefined> {
  const sealed = await redis.hgetBuffer(keys.jobRecord(lane, jobId), RECORD_FIELDS.job).catch((error: unknown) => {
    if (isWrongType(error)) return null;
    throw error;
  });
  return sealed === null ? undefined : openJobHead(keyRing, jobId, sealed);
}
