import { ClusterError, RECORD_FIELDS, type Job } from '@python3-cluster/shared';
import type { EnqueueTools } from './enqueue';
import { withdrawJob } from './withdraw-job';

/** While no replica confirms anything, nothing is written at all. @throws ClusterError DURABILITY_UNAVAILABLE */
export function assertReplicaAvailable({ replicas }: EnqueueTools, lane: string): void {
  if (replicas?.isAvailable(lane) === false)
    throw new ClusterError('DURABILITY_UNAVAILABLE', 'No replica of Redis confirms writes; nothing was accepted.');
}

/**
 * Resolves when a replica has the queued job.
 *
 *   queued ──confirmed──▶ accepted
 *      └──not within a second──▶ taken back, if nobody has started it: DURABILITY_UNAVAILABLE
 *                       └──────▶ else QUEUE_UNCERTAIN: it may run
 *
 * Worker nodes wait for the same replica before they start anything, so the job is mostly still there to be taken back.
 * The replica may have the job all the same, without the taking back: if it is promoted in that moment, the job runs.
 *
 * @throws ClusterError DURABILITY_UNAVAILABLE, QUEUE_UNCERTAIN; both with the job id
 */
export async function confirmAccepted(tools: EnqueueTools, job: Job): Promise<void> {
  const written = { record: tools.keys.jobRecord(job.lane, job.id), field: RECORD_FIELDS.queued, value: '1' };
  if (await tools.replicas?.confirm(job.lane, written)) return;
  const details = { jobId: job.id };
  if (await withdrawJob(tools, job))
    throw new ClusterError('DURABILITY_UNAVAILABLE', 'No replica of Redis confirmed the job in time; it was taken back.', { details });
  throw new ClusterError('QUEUE_UNCERTAIN', 'No replica of Redis confirmed the job, and it could not be taken back; it may run.', {
    details,
  });
}
