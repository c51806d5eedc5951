import type { Redis } from 'ioredis';
import {
  MAX_LAST_END_BYTES, openAttemptEnd, RECORD_FIELDS, RETRYABLE_STATUSES, sealAttemptEnd,
  type Attempt, type KeyRing, type Logger, type OutcomeParts, type RedisKeys,
} from '@python3-cluster/shared'; // prettier-ignore

/**
 * How the last attempt of a job ended that is to be retried. It becomes the outcome if the retry never comes. Kept whole
 * where it is small: a job that waits must not hold megabytes of output in Redis.
 */
export function sealLastEnd(keyRing: KeyRing, parts: OutcomeParts): Buffer {
  const sealed = sealAttemptEnd(keyRing, parts);
  if (sealed.length <= MAX_LAST_END_BYTES) return sealed;
  const nothing = Buffer.alloc(0);
  return sealAttemptEnd(keyRing, {
    outcome: { ...parts.outcome, hasValue: false, truncated: true },
    value: nothing,
    stdout: nothing,
    stderr: nothing,
  });
}

interface LastEndTools {
  readonly redis: Redis;
  readonly keys: RedisKeys;
  readonly keyRing: KeyRing;
  readonly logger: Logger;
}

/** The end of the last of these attempts, where a retry was due after it and it can be believed. */
export async function readLastEnd(
  { redis, keys, keyRing, logger }: LastEndTools,
  { lane, jobId, attempts }: { readonly lane: string; readonly jobId: string; readonly attempts: readonly Attempt[] },
): Promise<OutcomeParts | undefined> {
  if (!RETRYABLE_STATUSES.some((status) => status === attempts.at(-1)?.status)) return undefined;
  const sealed = await redis.hgetBuffer(keys.jobRecord(lane, jobId), RECORD_FIELDS.lastEnd);
  const parts = sealed === null ? undefined : openAttemptEnd(keyRing, jobId, attempts.length, sealed);
  if (parts === undefined) {
    logger.error({ event: 'security', errorCode: 'OUTCOME_UNVERIFIED', jobId, lane }, 'the end of an attempt is not believed');
  }
  return parts;
}
