import type { Job, RedisKeys } from '@python3-cluster/shared';
import type { Redis } from 'ioredis';

/** Newest jobs listed per owner, and of all owners together. Older ones can still be asked for by their id. */
export const MAX_LISTED_JOBS = 10_000;

/** Longer than any record lives: 30 days of delay, 7 of validity, at most 10 of retries and 7 of keeping the outcome. */
const INDEX_TTL_MS = 60 * 86_400_000;

/** Trimming on every job would double the index's cost; in between it may be over its bound by what arrives in this time. */
const TRIM_EVERY_MS = 1_000;

/** Owners whose last trim is remembered; forgetting one costs a trim. */
const MAX_REMEMBERED = 10_000;

/** Which jobs an owner has: a table of contents only. What a job is, and whose, its sealed record says. */
export interface JobIndex {
  /** Sends its commands in the caller's turn. Best effort: a job that is not listed runs all the same. */
  readonly add: (job: Job) => Promise<void>;
}

export function createJobIndex({ redis, keys }: { readonly redis: Redis; readonly keys: RedisKeys }): JobIndex {
  const trimmedAt = new Map<string, number>();
  const commandsFor = (key: string, job: Job): Promise<unknown>[] => {
    const added = redis.zadd(key, job.issuedAt, job.id);
    const now = Date.now();
    if (now - (trimmedAt.get(key) ?? 0) < TRIM_EVERY_MS) return [added];
    if (trimmedAt.size >= MAX_REMEMBERED) trimmedAt.clear();
    trimmedAt.set(key, now);
    return [added, redis.zremrangebyrank(key, 0, -MAX_LISTED_JOBS - 1), redis.pexpire(key, INDEX_TTL_MS)];
  };
  return {
    add: async (job) => {
      await Promise.allSettled([...commandsFor(keys.ownerJobs(job.owner), job), ...commandsFor(keys.allJobs, job)]);
    },
  };
}
