import { setTimeout as delay } from 'node:timers/promises';
import { ClusterError, createJobId, hasErrorCode } from '@python3-cluster/shared';
import type { JobOrder } from './build-job';
import type { Dispatched, Dispatcher } from './dispatcher';
import type { IdempotencyRecords, Reservation } from './idempotency-records';
import type { JobRecord, OutcomeStore } from './outcome-store';

/** Longer than an enqueue can take: after that, the request that made a reservation is over. */
const SETTLED_MS = 5_000;
/** Shortest life of an outcome. A reservation younger than that whose job has no record never had a job. */
const LEAST_RESULT_MS = 60_000;
const LOOK_MS = 50;

export interface OnceTools {
  readonly dispatcher: Dispatcher;
  readonly store: OutcomeStore;
  readonly idempotency: IdempotencyRecords;
}

/**
 * Queues a job unless the caller's key stands for one already; then that one is answered with.
 *
 *   key free ──reserve──▶ reserved ──queued──▶ accepted ──▶ the same job, until the key is forgotten
 *      ▲                     │  └─not confirmed, and over 5 s old: queued again under the same id, which runs once
 *      └─────not queued──────┘
 *
 * @throws ClusterError IDEMPOTENCY_KEY_REUSED, RESULT_EXPIRED, and those of `Dispatcher.dispatch`
 */
export async function dispatchOnce(
  tools: OnceTools,
  order: JobOrder,
  asked: Pick<Reservation, 'key' | 'fingerprint'>,
): Promise<Dispatched | { readonly replayed: JobRecord }> {
  const own: Reservation = { ...asked, owner: order.owner, jobId: createJobId(order.request.lane) };
  for (;;) {
    const standing = await tools.idempotency.reserve(own);
    if (standing === undefined) return dispatchReserved(tools, order, own);
    const { reservation, state, ageMs } = standing;
    if (reservation.fingerprint !== own.fingerprint) throw new ClusterError('IDEMPOTENCY_KEY_REUSED');
    if (state === 'accepted' || ageMs >= SETTLED_MS) {
      const record = await tools.store.readRecord(reservation.jobId);
      if (record !== undefined) return { replayed: record };
      if (state === 'accepted' || ageMs >= LEAST_RESULT_MS)
        throw new ClusterError('RESULT_EXPIRED', undefined, { details: { jobId: reservation.jobId } });
      return dispatchReserved(tools, order, reservation);
    }
    await delay(LOOK_MS);
  }
}

async function dispatchReserved({ dispatcher, idempotency }: OnceTools, order: JobOrder, reservation: Reservation): Promise<Dispatched> {
  try {
    const dispatched = await dispatcher.dispatch({ ...order, jobId: reservation.jobId });
    idempotency.confirm(reservation);
    return dispatched;
  } catch (error) {
    // Uncertain: the job may be there, so its key must stay with it.
    if (!hasErrorCode(error, 'QUEUE_UNCERTAIN')) await idempotency.release(reservation);
    throw error;
  }
}
