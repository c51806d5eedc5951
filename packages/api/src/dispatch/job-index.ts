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
  /**
   * Sends its commands, one for all jobs of a turn of the event loop, at the end of that turn, with what else is sent in it.
   * Best effort: a job that is not listed runs all the same.
   */
  readonly add: (job: Job) => Promise<void>;
}

interface Turn {
  /** Index → score, member, score, member … */
  readonly members: Map<string, (number | string)[]>;
  readonly sent: Promise<void>;
}

export function createJobIndex({ redis, keys }: { readonly redis: Redis; readonly keys: RedisKeys }): JobIndex {
  const trimmedAt = new Map<string, number>();
  let turn: Turn | undefined;
  const mayTrim = (key: string): boolean => {
    const now = Date.now();
    if (now - (trimmedAt.get(key) ?? 0) < TRIM_EVERY_MS) return false;
    if (trimmedAt.size >= MAX_REMEMBERED) trimmedAt.clear();
    trimmedAt.set(key, now);
    return true;
  };
  const send = async (members: Turn['members']): Promise<void> => {
    const commands: Promise<unknown>[] = [];
    for (const [key, added] of members) {
      commands.push(redis.zadd(key, ...added));
      if (mayTrim(key)) commands.push(redis.zremrangebyrank(key, 0, -MAX_LISTED_JOBS - 1), redis.pexpire(key, INDEX_TTL_MS));
    }
    await Promise.allSettled(commands);
  };
  const beginTurn = (): Turn => {
    const members: Turn['members'] = new Map();
    const sent = new Promise<void>((resolve) => {
      setImmediate(() => {
        turn = undefined;
        resolve(send(members));
      });
    });
    return { members, sent };
  };
  return {
    add: async (job) => {
      turn ??= beginTurn();
      for (const key of [keys.ownerJobs(job.owner), keys.allJobs]) {
        const members = turn.members.get(key);
        if (members === undefined) turn.members.set(key, [job.issuedAt, job.id]);
        else members.push(job.issuedAt, job.id);
      }
      await turn.sent;
    },
  };
}
