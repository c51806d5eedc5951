import { randomUUID } from 'node:crypto';
import type { Redis } from 'ioredis';
import {
  CANCEL_CLAIM_MS,
  type Attempt, type ClaimVerdict, type KeyRing, type Logger, type RedisKeys,
} from '@python3-cluster/shared'; // prettier-ignore
import { stopped } from './judge-run';
import type { OutcomeWriter } from './outcome-writer';
import { targetOf } from './outcome-target';
import { readJobHead } from './read-job-head';

export interface SettleTools {
  readonly redis: Redis;
  readonly keys: RedisKeys;
  readonly keyRing: KeyRing;
  readonly outcomes: OutcomeWriter;
  readonly logger: Logger;
}

/**
 * Gives a cancelled job that nobody runs its outcome, if this node is the one to do so. `cancel` says that it was; the
 * queue entry is then dead, and may be removed.
 */
export async function settleCancelled(tools: SettleTools, lane: string, jobId: string): Promise<ClaimVerdict> {
  const { redis, keys, outcomes, logger } = tools;
  const token = randomUUID();
  const record = keys.jobRecord(lane, jobId);
  const [verdict, text] = await redis.claimCancelled(
    record, keys.queueLock(lane, jobId), keys.cancels(lane), jobId, token, CANCEL_CLAIM_MS,
  ); // prettier-ignore
  if (verdict !== 'cancel') return verdict;
  const head = await readJobHead(tools, lane, jobId);
  if (head === undefined) {
    // Whose outcome it is cannot be believed; who takes the queue entry will refuse or end the job.
    logger.error({ event: 'security', errorCode: 'JOB_SIGNATURE_INVALID', jobId, lane }, 'the record of a cancelled job is not believed');
    await redis.zrem(keys.cancels(lane), jobId);
    return 'unasked';
  }
  const attempts = JSON.parse(text) as Attempt[];
  await outcomes.write({ ...targetOf(head), lane, token, attempts }, stopped('cancelled', attempts));
  return verdict;
}
