import {
  createJobId,
  EXPIRY_MARGIN_MS,
  longestBackoffMs,
  mostStartsOf,
  type Config,
  type Job,
  type JobMode,
} from '@python3-cluster/shared';
import type { JobRequest } from '../requests/job-request';
import type { RequestTrace } from '../traces/request-trace';

/** How the caller will hear of the outcome. */
export type Waiting =
  /** Not at all: it asks for the job later. */
  | 'none'
  /** It would like the outcome in its answer; the job goes on without it. */
  | 'preferred'
  /** It waits for as long as the job makes sense: once it is gone, the job must not start any more. */
  | 'required';

export interface JobOrder {
  readonly request: JobRequest;
  readonly mode: JobMode;
  readonly owner: string;
  readonly traceparent: string | null;
  /** Of the request; told of the way into the queue. */
  readonly trace?: RequestTrace | undefined;
  readonly waiting: Waiting;
  /** Chosen beforehand where something must know it before the job is queued. */
  readonly jobId?: string;
}

export function buildJob(order: JobOrder, config: Config, replyChannel: string, now = Date.now()): Job {
  const { request } = order;
  return {
    version: 1,
    id: order.jobId ?? createJobId(request.lane, now),
    lane: request.lane,
    kind: request.kind,
    mode: order.mode,
    isolation: request.isolation,
    delivery: request.delivery,
    owner: order.owner,
    limits: request.limits,
    issuedAt: now,
    ...readDeadlines(order, config, now),
    resultTtlMs: request.resultTtlMs,
    replyTo: order.waiting === 'none' ? null : replyChannel,
    ...(order.waiting === 'required' && { held: true as const }),
    traceparent: order.traceparent,
    ...readOptions(order.request, now),
  };
}

/** Members that few jobs have; those that are not asked for are left out. */
function readOptions(request: JobRequest, now: number): Pick<Job, 'startAfter' | 'attempts' | 'retry' | 'priority' | 'labels' | 'program'> {
  const { delayMs, attempts, retry, priority, labels, program } = request;
  return {
    ...(delayMs !== undefined && { startAfter: now + delayMs }),
    ...(attempts !== undefined && { attempts }),
    ...(retry !== undefined && { retry }),
    ...(priority !== undefined && { priority }),
    ...(labels !== undefined && { labels }),
    ...(program !== undefined && { program }),
  };
}

/** The longest that retries can take: each one's pause and run. The signature must still be believed at the last. */
function retriesMs({ retry, attempts, delivery, limits }: JobRequest): number {
  if (retry === undefined) return 0;
  let total = 0;
  for (let attempt = 1; attempt < mostStartsOf({ attempts, delivery }); attempt += 1)
    total += limits.timeoutMs + longestBackoffMs(retry.backoffMs, attempt);
  return total;
}

function readDeadlines({ waiting, request }: JobOrder, config: Config, now: number): Pick<Job, 'validUntil' | 'startBefore'> {
  const { expiresInMs, delayMs = 0 } = request;
  const validityMs = config.jobValiditySeconds * 1_000 + retriesMs(request);
  if (waiting === 'required') {
    const startBefore = now + config.queueWaitSeconds * 1_000;
    return { startBefore, validUntil: startBefore + EXPIRY_MARGIN_MS };
  }
  const startAfter = now + delayMs;
  if (expiresInMs === undefined) return { startBefore: null, validUntil: startAfter + validityMs };
  // by two margins later than its last possible start: see `endsWithItsCaller`
  return { startBefore: startAfter + expiresInMs, validUntil: startAfter + validityMs + 2 * EXPIRY_MARGIN_MS };
}
