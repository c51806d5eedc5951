import { CANCEL_WAIT_MS, ClusterError, REPLY_GRACE_MS, type Config, type Job, type OutcomeParts } from '@python3-cluster/shared';
import type { Request, Response } from 'express';
import type { JobOrder } from '../dispatch/build-job';
import type { Dispatched, Dispatcher } from '../dispatch/dispatcher';
import type { ExpectedReply } from '../dispatch/expected-reply';
import { releaseBody } from '../requests/read-body';
import { readRequestState } from '../requests/request-state';
import { assertHasRun } from './failure-text';

interface RunEnd {
  readonly job: Job;
  readonly parts: OutcomeParts;
}

/**
 * Runs a job for a caller that waits for its end, if `readOrder` finds one in its request. Without the caller it makes no sense: nothing acts on the plant later.
 *
 *   queued ──queue wait + grace──▶ not started: taken back, POOL_BUSY
 *      ├──────queue wait + time limit + grace──────▶ no outcome: cancelled, else OUTCOME_UNKNOWN
 *      └──────the caller hangs up──────▶ cancelled, started or not
 *
 * @throws ClusterError also those of `Dispatcher.dispatch`, and what a job was rejected with
 */
export async function runAndWait<O extends JobOrder | undefined>(
  { config, dispatcher }: { readonly config: Config; readonly dispatcher: Dispatcher },
  readOrder: () => O | Promise<O>,
  request: Request,
  response: Response,
): Promise<RunEnd | (O extends JobOrder ? never : undefined)> {
  const dispatched = await readAndDispatch(dispatcher, readOrder);
  releaseBody(request, response);
  if (dispatched === undefined) return undefined as O extends JobOrder ? never : undefined;
  const { job, reply } = dispatched;
  if (reply === undefined) throw new Error('a caller that waits needs a reply');
  readRequestState(response).jobId = job.id;
  let hasEnded = false;
  const isGone = (): boolean => response.closed || response.destroyed;
  const onClose = (): void => {
    reply.cancel();
    if (!hasEnded) void cancelUntilHeard(dispatcher, job, config);
  };
  // It may have hung up while the job was queued.
  if (isGone()) onClose();
  else response.once('close', onClose);
  try {
    const parts = await awaitOutcome(reply, job, config, dispatcher, isGone);
    readRequestState(response).trace?.noteOutcome(parts.outcome);
    assertHasRun(parts.outcome, job.id);
    return { job, parts };
  } finally {
    hasEnded = true;
    reply.cancel();
  }
}

/** A function of its own, so that nothing of the body is left while its caller waits. */
async function readAndDispatch(
  dispatcher: Dispatcher,
  readOrder: () => JobOrder | undefined | Promise<JobOrder | undefined>,
): Promise<Dispatched | undefined> {
  const order = await readOrder();
  return order && dispatcher.dispatch(order);
}

async function awaitOutcome(
  reply: ExpectedReply,
  job: Job,
  config: Config,
  dispatcher: Dispatcher,
  isGone: () => boolean,
): Promise<OutcomeParts> {
  const startsWithinMs = config.queueWaitSeconds * 1_000 + REPLY_GRACE_MS;
  const unknown = new ClusterError('OUTCOME_UNKNOWN', undefined, { details: { jobId: job.id } });
  const busy = new ClusterError('POOL_BUSY', undefined, { details: { jobId: job.id } });
  const early = await reply.within(startsWithinMs);
  if (early !== undefined) return early;
  // Its job is being cancelled, and what becomes of it stands in the record; nobody hears this answer.
  if (isGone()) throw unknown;
  if (await dispatcher.withdraw(job)) throw busy;
  const late = await reply.within(job.limits.timeoutMs);
  if (late !== undefined) return late;
  if (isGone()) throw unknown;
  if (await dispatcher.withdraw(job)) throw busy;
  // Sooner than that the wait was ended by a replica that stops; its callers are told that their jobs go on.
  const isOver = reply.waitedMs >= startsWithinMs + job.limits.timeoutMs;
  const last = isOver ? await cancelAndAwait(reply, job, dispatcher) : undefined;
  if (last !== undefined) return last;
  throw unknown;
}

const CANCEL_RETRY_MS = 500;

/** With Redis away it is asked again, for as long as the job could be running at all. */
async function cancelUntilHeard(dispatcher: Dispatcher, job: Job, config: Config): Promise<void> {
  const until = job.issuedAt + config.queueWaitSeconds * 1_000 + job.limits.timeoutMs + REPLY_GRACE_MS;
  for (;;) {
    const isHeard = await dispatcher.cancel(job).then(
      () => true,
      () => false,
    );
    if (isHeard || Date.now() > until) return;
    await new Promise<void>((resolve) => setTimeout(resolve, CANCEL_RETRY_MS).unref());
  }
}

/** The outcome, if it comes now: `cancelled`, or what the job ended with in the last moment. */
async function cancelAndAwait(reply: ExpectedReply, job: Job, dispatcher: Dispatcher): Promise<OutcomeParts | undefined> {
  await dispatcher.cancel(job).catch(() => undefined);
  return reply.within(CANCEL_WAIT_MS);
}
