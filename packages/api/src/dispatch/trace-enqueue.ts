import { isClusterError, type Job } from '@python3-cluster/shared';
import type { JobOrder } from './build-job';

/** Dispatches an order, and says in its request's trace how that went. */
export async function traceEnqueue<T extends { readonly job: Job }>(
  order: JobOrder,
  dispatch: (order: JobOrder) => Promise<T>,
): Promise<T> {
  const { trace } = order;
  if (trace === undefined) return dispatch(order);
  trace.startEnqueue();
  try {
    const dispatched = await dispatch(order);
    trace.endEnqueue(dispatched.job, order.request.payload.length);
    return dispatched;
  } catch (error) {
    trace.failEnqueue(order.request.lane, isClusterError(error) ? error.code : 'INTERNAL');
    throw error;
  }
}
