import type { Redis } from 'ioredis';
import {
  longestBackoffMs, mostStartsOf, RETRYABLE_STATUSES, traceIdOf,
  type Job, type KeyRing, type Logger, type Outcome, type RedisKeys,
} from '@python3-cluster/shared'; // prettier-ignore
import { toAttemptError } from './attempt-ends';
import type { Verdict } from './judge-run';
import { sealLastEnd } from './last-end';
import type { OutcomeTarget } from './outcome-target';
import type { OutcomeWriter } from './outcome-writer';
import type { RunReport } from './run-in-slot';

export interface RetryTools {
  readonly redis: Redis;
  readonly keys: RedisKeys;
  readonly keyRing: KeyRing;
  readonly outcomes: OutcomeWriter;
  readonly logger: Logger;
}

export interface AttemptEnd {
  readonly target: OutcomeTarget;
  readonly verdict: Verdict;
  readonly report: RunReport;
  readonly isolation: Outcome['isolation'];
}

/**
 * Puts a job off whose code ended in a way it is to be retried on, the end recorded with the attempt. Answers when it may
 * start again (epoch ms), or undefined: this end is the outcome.
 */
export async function retryLater(
  { redis, keys, keyRing, outcomes, logger }: RetryTools,
  job: Job,
  { target, verdict, report, isolation }: AttemptEnd,
): Promise<number | undefined> {
  const backoffMs = backoffFor(job, verdict, target.attempts.length, Date.now());
  if (backoffMs === undefined) return undefined;
  const parts = outcomes.compose(target, verdict, report, isolation);
  const { finishedAt } = parts.outcome;
  const end = JSON.stringify({ status: verdict.status, error: toAttemptError(verdict.error), finishedAt });
  const record = keys.jobRecord(job.lane, job.id);
  const answer = await redis.retryJob(record, target.token, end, backoffMs, sealLastEnd(keyRing, parts));
  // Finished, stale or cancelled: to write this end as the outcome is then right, or refused.
  if (answer !== 'retry') return undefined;
  const attempt = target.attempts.length;
  const traceId = traceIdOf(job.traceparent);
  const fields = { jobId: job.id, traceId, status: verdict.status, errorType: verdict.error?.type, attempt, backoffMs };
  logger.info(fields, 'attempt ended; the job is retried');
  return Date.now() + backoffMs;
}

/**
 * The pause before the next start: exponential, and by chance between half and the whole of it, so that jobs that failed
 * together do not come back together. Undefined where there is no next start: not asked for, no starts left, or it would
 * come when the job may not start any more.
 */
export function backoffFor(job: Job, { status }: Verdict, starts: number, now: number, chance = Math.random()): number | undefined {
  if (job.retry === undefined || job.delivery === 'at-most-once' || starts >= mostStartsOf(job)) return undefined;
  const retryable = RETRYABLE_STATUSES.find((known) => known === status);
  if (retryable === undefined || !job.retry.on.includes(retryable)) return undefined;
  const backoffMs = Math.round(longestBackoffMs(job.retry.backoffMs, starts) * (0.5 + chance / 2));
  return now + backoffMs > Math.min(job.validUntil, job.startBefore ?? Infinity) ? undefined : backoffMs;
}
