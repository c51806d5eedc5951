import { openSeal, readUnverified, seal, type SealContext } from '../signing/seal';
import type { KeyRing } from '../signing/key-ring';
import { formatJob, parseJob, type ParsedJob } from './job-codec';
import { formatOutcome, parseOutcome, readClaimedWorker } from './outcome-codec';
import type { Job } from './job';
import type { OutcomeParts } from './outcome';

/** Which key seals what: one place, used by the API and by worker nodes. */
const jobContext = (lane: string, jobId: string): SealContext => ({ purpose: 'job', scope: lane, subject: jobId });
const recordContext = (jobId: string): SealContext => ({ purpose: 'record', scope: 'job', subject: jobId });
const resultContext = (worker: string, jobId: string): SealContext => ({ purpose: 'result', scope: worker, subject: jobId });

export const sealJob = (keyRing: KeyRing, job: Job, payload: Buffer): Buffer =>
  seal(keyRing, jobContext(job.lane, job.id), formatJob(job, payload));

/** The job queued under this id on this lane, if the API signed exactly that. */
export function openJob(keyRing: KeyRing, lane: string, jobId: string, sealed: Buffer): ParsedJob | undefined {
  const content = openSeal(keyRing, jobContext(lane, jobId), sealed);
  return content && parseJob(content);
}

/** The lane a job that does not verify here was signed for, if it verifies there. */
export function findSigningLane(keyRing: KeyRing, jobId: string, sealed: Buffer): string | undefined {
  const content = readUnverified(sealed);
  const claimed = content && parseJob(content)?.job.lane;
  return claimed !== undefined && openJob(keyRing, claimed, jobId, sealed) ? claimed : undefined;
}

/** The job without its payload, as its record keeps it: owner, mode and limits outlive the queue entry. */
export const sealJobHead = (keyRing: KeyRing, job: Job): Buffer => seal(keyRing, recordContext(job.id), formatJob(job, Buffer.alloc(0)));

export function openJobHead(keyRing: KeyRing, jobId: string, sealed: Buffer): Job | undefined {
  const content = openSeal(keyRing, recordContext(jobId), sealed);
  return content && parseJob(content)?.job;
}

export const sealOutcome = (keyRing: KeyRing, parts: OutcomeParts): Buffer =>
  seal(keyRing, resultContext(parts.outcome.worker, parts.outcome.jobId), formatOutcome(parts));

/** The outcome of this job, if a worker node of this cluster signed exactly that. */
export function openOutcome(keyRing: KeyRing, jobId: string, sealed: Buffer): OutcomeParts | undefined {
  const unverified = readUnverified(sealed);
  const worker = unverified && readClaimedWorker(unverified);
  if (worker === undefined) return undefined;
  const content = openSeal(keyRing, resultContext(worker, jobId), sealed);
  return content && parseOutcome(content);
}
