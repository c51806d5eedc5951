import { DELIVERIES, JOB_ISOLATIONS, JOB_MODES, RETRYABLE_STATUSES, type RunKind } from './job-words';
import { WIRE_VERSION, type Job } from './job';

/** Content of a queued job, before sealing: `{…job…} LF payload`, the payload being raw JSON slices. */
export function formatJob(job: Job, payload: Buffer): Buffer {
  return Buffer.concat([Buffer.from(`${JSON.stringify(job)}\n`), payload]);
}

export interface ParsedJob {
  readonly job: Job;
  readonly payload: Buffer;
}

/** Reads what `formatJob` wrote; undefined if it is not that. Call it on verified content only. */
export function parseJob(content: Buffer): ParsedJob | undefined {
  const end = content.indexOf(0x0a);
  if (end < 0) return undefined;
  try {
    const job = JSON.parse(content.toString('utf8', 0, end)) as Job;
    return isJob(job) ? { job, payload: content.subarray(end + 1) } : undefined;
  } catch {
    return undefined;
  }
}

const RUN_KINDS: readonly RunKind[] = ['exec', 'eval', 'call', 'check'];

/** A newer API might sign what this worker node does not know; such a job is refused rather than half understood. */
function isJob(job: Job): boolean {
  return (
    job.version === WIRE_VERSION &&
    RUN_KINDS.includes(job.kind) &&
    JOB_MODES.includes(job.mode) &&
    DELIVERIES.includes(job.delivery) &&
    JOB_ISOLATIONS.includes(job.isolation) &&
    (job.retry?.on.every((status) => RETRYABLE_STATUSES.includes(status)) ?? true)
  );
}
