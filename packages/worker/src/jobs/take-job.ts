import { randomUUID } from 'node:crypto';
import type { Redis } from 'ioredis';
import {
  mostStartsOf,
  type Attempt,
  type Job,
  type Logger,
  type RedisKeys,
  type TakeIntent,
  type TakeVerdict,
} from '@python3-cluster/shared';

export interface TakenJob {
  readonly verdict: TakeVerdict;
  /** Fences: only its holder may write the outcome. */
  readonly token: string;
  /** All starts so far, this one included if it is one. */
  readonly attempts: readonly Attempt[];
  /** With `early`: how long until it may start; with `lapsed`: until it is to be looked at again. */
  readonly leftMs: number;
}

/** What the record must know about a job to say whether it may start (again). */
export type StartRules = Pick<Job, 'attempts' | 'delivery' | 'held'>;

interface TakeTools {
  readonly redis: Redis;
  readonly keys: RedisKeys;
  readonly workerId: string;
  readonly logger: Logger;
}

/** Why a job with the verdict `damaged` is not run. */
export const UNREADABLE_ATTEMPTS = 'its record does not say how often it was started; it may have run, and is not started again';

/** Makes the job this node's in its record, and marks the start if it is to run. */
export async function takeJob(
  { redis, keys, workerId, logger }: TakeTools,
  { lane, jobId, lockToken }: { readonly lane: string; readonly jobId: string; readonly lockToken?: string | undefined },
  rules: StartRules,
  intent: TakeIntent,
): Promise<TakenJob> {
  const token = randomUUID();
  const record = keys.jobRecord(lane, jobId);
  const lock: [] | [string, string] = lockToken === undefined ? [] : [keys.queueLock(lane, jobId), lockToken];
  const [verdict, attempts, leftMs = 0] = await redis.takeJob(
    record, token, workerId, Date.now(), rules.delivery, mostStartsOf(rules), intent === 'run' && rules.held ? 'run-held' : intent, ...lock,
  ); // prettier-ignore
  if (verdict === 'damaged') {
    logger.error(
      { event: 'security', errorCode: 'RECORD_UNVERIFIED', jobId, lane },
      'the attempts in a job’s record are no list of attempts',
    );
  }
  return { verdict, token, attempts: JSON.parse(attempts) as Attempt[], leftMs };
}
