import { createJobId, type Config, type Job, type JobMode } from '@python3-cluster/shared';
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
}

/** Between `startBefore` and the end of the signature: a worker node that is late says `expired`, not `rejected`. */
const EXPIRY_MARGIN_MS = 60_000;

export function buildJob(order: JobOrder, config: Config, replyChannel: string, now = Date.now()): Job {
  const { request } = order;
  const startBefore = order.waiting === 'required' ? now + config.queueWaitSeconds * 1_000 : null;
  return {
    version: 1,
    id: createJobId(request.lane, now),
    lane: request.lane,
    kind: request.kind,
    mode: order.mode,
    isolation: 'fresh',
    delivery: request.delivery,
    owner: order.owner,
    limits: request.limits,
    issuedAt: now,
    validUntil: startBefore === null ? now + config.jobValiditySeconds * 1_000 : startBefore + EXPIRY_MARGIN_MS,
    startBefore,
    resultTtlMs: request.resultTtlMs,
    replyTo: order.waiting === 'none' ? null : replyChannel,
    traceparent: order.traceparent,
  };
}
