import { createHash } from 'node:crypto';
import { sliceProgram, type Job } from '@python3-cluster/shared';

/**
 * Names the process a job may share with others: same owner, same mode, same program, same memory limit (which a process
 * is given once). undefined for what is never kept.
 */
export async function warmKeyOf(job: Job, payload: Buffer): Promise<string | undefined> {
  const slices = await sliceProgram(job.kind, payload);
  if (slices === undefined) return undefined;
  const hash = createHash('sha256').update(JSON.stringify([job.owner, job.mode, job.kind, job.limits.memoryMb]));
  for (const slice of slices) hash.update(`\n${slice.length}\n`).update(slice);
  return hash.digest('base64url');
}
