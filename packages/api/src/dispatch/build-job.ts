import { createJobId, EXPIRY_MARGIN_MS, type Config, type Job, type JobMode } from '@python3-cluster/shared';
import type { JobRequest } from '../requests/job-request';

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
    isolation: 'fresh',
    delivery: request.delivery,
    owner: order.owner,
    limits: request.limits,
    issuedAt: now,
    ...readDeadlines(order, config, now),
    resultTtlMs: request.resultTtlMs,
    replyTo: order.waiting === 'none' ? null : replyChannel,
    traceparent: order.traceparent,
  };
}

function readDeadlines({ waiting, request }: JobOrder, config: Config, now: number): Pick<Job, 'validUntil' | 'startBefore'> {
  const { expiresInMs } = request;
  const validityMs = config.jobValiditySeconds * 1_000;
  if (waiting === 'required') {
    const startBefore = now + config.queueWaitSeconds * 1_000;
    return { startBefore, validUntil: startBefore + EXPIRY_MARGIN_MS };
  }
  if (expiresInMs === undefined) return { startBefore: null, validUntil: now + validityMs };
  // by two margins later than its last possible start: see `endsWithItsCaller`
  return { startBefore: now + expiresInMs, validUntil: now + validityMs + 2 * EXPIRY_MARGIN_MS };
}
