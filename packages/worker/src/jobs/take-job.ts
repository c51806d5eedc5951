import { randomUUID } from 'node:crypto';
import type { Redis } from 'ioredis';
import { MAX_STARTS, type Attempt, type Delivery, type RedisKeys, type TakeIntent, type TakeVerdict } from '@python3-cluster/shared';

export interface TakenJob {
  readonly verdict: TakeVerdict;
  /** Fences: only its holder may write the outcome. */
  readonly token: string;
  /** All starts so far, this one included if it is one. */
  readonly attempts: readonly Attempt[];
}

/** Makes the job this node's in its record, and marks the start if it is to run. */
export async function takeJob(
  { redis, keys, workerId }: { readonly redis: Redis; readonly keys: RedisKeys; readonly workerId: string },
  { lane, jobId, lockToken }: { readonly lane: string; readonly jobId: string; readonly lockToken?: string | undefined },
  delivery: Delivery,
  intent: TakeIntent,
): Promise<TakenJob> {
  const token = randomUUID();
  const record = keys.jobRecord(lane, jobId);
  const lock: [] | [string, string] = lockToken === undefined ? [] : [keys.queueLock(lane, jobId), lockToken];
  const [verdict, attempts] = await redis.takeJob(record, token, workerId, Date.now(), delivery, MAX_STARTS, intent, ...lock);
  return { verdict, token, attempts: JSON.parse(attempts) as Attempt[] };
}
