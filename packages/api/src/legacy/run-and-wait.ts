import { ClusterError, REPLY_GRACE_MS, type Config, type Job, type OutcomeParts } from '@python3-cluster/shared';
import type { Response } from 'express';
import type { JobOrder } from '../dispatch/build-job';
import type { Dispatcher } from '../dispatch/dispatcher';
import type { ExpectedReply } from '../dispatch/expected-reply';
import { readRequestState } from '../requests/request-state';
import { assertHasRun } from './failure-text';

/**
 * Runs a job for a caller that waits for its end.
 *
 *   queued ──queue wait + grace──▶ not started: taken back, POOL_BUSY
 *      └──────queue wait + time limit + grace──────▶ no outcome: OUTCOME_UNKNOWN
 *
 * @throws ClusterError also those of `Dispatcher.dispatch`, and what a job was rejected with
 */
export async function runAndWait(
  { config, dispatcher }: { readonly config: Config; readonly dispatcher: Dispatcher },
  order: JobOrder,
  response: Response,
): Promise<{ readonly job: Job; readonly parts: OutcomeParts }> {
  const { job, reply } = await dispatcher.dispatch(order);
  if (reply === undefined) throw new Error('a caller that waits needs a reply');
  readRequestState(response).jobId = job.id;
  response.once('close', () => reply.cancel());
  try {
    const parts = await awaitOutcome(reply, job, config, dispatcher);
    assertHasRun(parts.outcome, job.id);
    return { job, parts };
  } finally {
    reply.cancel();
  }
}

async function awaitOutcome(reply: ExpectedReply, job: Job, config: Config, dispatcher: Dispatcher): Promise<OutcomeParts> {
  const startsWithinMs = config.queueWaitSeconds * 1_000 + REPLY_GRACE_MS;
  const details = { jobId: job.id };
  const early = await reply.within(startsWithinMs);
  if (early !== undefined) return early;
  if (await dispatcher.withdraw(job)) throw new ClusterError('POOL_BUSY', undefined, { details });
  const late = await reply.within(job.limits.timeoutMs);
  if (late !== undefined) return late;
  throw (await dispatcher.withdraw(job))
    ? new ClusterError('POOL_BUSY', undefined, { details })
    : new ClusterError('OUTCOME_UNKNOWN', undefined, { details });
}
