import { ClusterError, type CancelVerdict, type RedisKeys } from '@python3-cluster/shared';
import type { Redis } from 'ioredis';

/**
 * Asks for the end of a job, in its record and of every worker node of its lane. What comes of it stands in the outcome,
 * which a worker node writes: an API replica cannot sign one. Asking again does no harm.
 *
 * @throws ClusterError QUEUE_UNAVAILABLE
 */
export async function requestCancel(
  { redis, keys }: { readonly redis: Redis; readonly keys: RedisKeys },
  { id, lane }: { readonly id: string; readonly lane: string },
): Promise<CancelVerdict> {
  try {
    return await redis.requestCancel(keys.jobRecord(lane, id), keys.cancels(lane), id, Date.now(), keys.cancelChannel(lane));
  } catch (error) {
    throw new ClusterError('QUEUE_UNAVAILABLE', 'Redis cannot be reached; whether the job is cancelled is not known. Ask again.', {
      cause: error,
      details: { jobId: id },
    });
  }
}
