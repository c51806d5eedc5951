import { RECORD_FIELDS, withdrawnField, type Job } from '@python3-cluster/shared';
import type { EnqueueTools } from './enqueue';

/**
 * Takes back a job nobody has started, so that its caller can be told that it did not and will not run. False where a
 * worker node has it, or may have it, already.
 */
export async function withdrawJob({ redis, keys, queues }: EnqueueTools, job: Job): Promise<boolean> {
  const record = keys.jobRecord(job.lane, job.id);
  const isWaiting = async (): Promise<boolean> => (await redis.hget(record, RECORD_FIELDS.state)) === 'waiting';
  try {
    if (!(await isWaiting()) || (await queues.get(job.lane).remove(job.id)) !== 1) return false;
    // Out of the queue, nothing can start it; but it may have ended between the two looks.
    if (!(await isWaiting())) return false;
    const bytes = Number((await redis.hget(record, RECORD_FIELDS.queuedBytes)) ?? 0);
    await Promise.all([
      redis.unlink(record, keys.jobPayload(job.lane, job.id)),
      redis.decrby(keys.queuedBytes(job.lane), bytes),
      redis.zrem(keys.openJobs(job.lane), job.id),
      redis.hincrby(keys.counts(job.lane), withdrawnField(job.kind), 1),
    ]);
    return true;
  } catch {
    return false;
  }
}
