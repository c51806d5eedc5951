import { atOnce, type Steps } from '../lifecycle/turns';
import { openingSeal, openSeal, readUnverified, seal, sealing, type SealContext } from '../signing/seal';
import type { KeyRing } from '../signing/key-ring';
import { formatJob, parseJob, type ParsedJob } from './job-codec';
import { formatOutcome, parseOutcome, readClaimedWorker } from './outcome-codec';
import { formatOutput, parseOutput, readClaimedSender, type OutputMessage } from './output-codec';
import type { Job } from './job';
import type { OutcomeParts } from './outcome';

/** Which key seals what: one place, used by the API and by worker nodes. */
const jobContext = (lane: string, jobId: string): SealContext => ({ purpose: 'job', scope: lane, subject: jobId });
const recordContext = (jobId: string): SealContext => ({ purpose: 'record', scope: 'job', subject: jobId });
const resultContext = (worker: string, jobId: string): SealContext => ({ purpose: 'result', scope: worker, subject: jobId });

/** The subject is none an outcome can have: a piece of output, which user code chooses, is never taken for one. */
const outputContext = (worker: string, jobId: string): SealContext => ({ purpose: 'result', scope: worker, subject: `${jobId} output` });

export const sealJob = (keyRing: KeyRing, job: Job, payload: Buffer): Buffer => atOnce(sealingJob(keyRing, job, payload));

/** The same in steps, for a large payload. */
export const sealingJob = (keyRing: KeyRing, job: Job, payload: Buffer): Steps<Buffer> =>
  sealing(keyRing, jobContext(job.lane, job.id), formatJob(job, payload));

/** The job queued under this id on this lane, if the API signed exactly that. */
export const openJob = (keyRing: KeyRing, lane: string, jobId: string, sealed: Buffer): ParsedJob | undefined =>
  atOnce(openingJob(keyRing, lane, jobId, sealed));

/** The same in steps, for a large payload. */
export function* openingJob(keyRing: KeyRing, lane: string, jobId: string, sealed: Buffer): Steps<ParsedJob | undefined> {
  const content = yield* openingSeal(keyRing, jobContext(lane, jobId), sealed);
  return content && parseJob(content);
}

/** The lane a job that does not verify here was signed for, if it verifies there. */
export function findSigningLane(keyRing: KeyRing, jobId: string, sealed: Buffer): string | undefined {
  const content = readUnverified(sealed);
  const claimed = content && parseJob(content)?.job.lane;
  // Read before it is verified: of any type.
  return typeof claimed === 'string' && openJob(keyRing, claimed, jobId, sealed) ? claimed : undefined;
}

/** The job without its payload, as its record keeps it: owner, mode and limits outlive the queue entry. */
export const sealJobHead = (keyRing: KeyRing, job: Job): Buffer => seal(keyRing, recordContext(job.id), formatJob(job, Buffer.alloc(0)));

export function openJobHead(keyRing: KeyRing, jobId: string, sealed: Buffer): Job | undefined {
  const content = openSeal(keyRing, recordContext(jobId), sealed);
  return content && parseJob(content)?.job;
}

/** How a single attempt ended; a subject of its own, so that it can never pass for the job's outcome. */
const attemptContext = (worker: string, jobId: string, attempt: number): SealContext => ({
  purpose: 'result',
  scope: worker,
  subject: `${jobId} attempt ${attempt}`,
});

export const sealOutcome = (keyRing: KeyRing, parts: OutcomeParts): Buffer => atOnce(sealingOutcome(keyRing, parts));

/** The same in steps, for a large value or much output. */
export const sealingOutcome = (keyRing: KeyRing, parts: OutcomeParts): Steps<Buffer> =>
  sealing(keyRing, resultContext(parts.outcome.worker, parts.outcome.jobId), formatOutcome(parts));

/** The outcome of this job, if a worker node of this cluster signed exactly that. */
export const openOutcome = (keyRing: KeyRing, jobId: string, sealed: Buffer): OutcomeParts | undefined =>
  atOnce(openingOutcome(keyRing, jobId, sealed));

/** The same in steps, for a large value or much output. */
export const openingOutcome = (keyRing: KeyRing, jobId: string, sealed: Buffer): Steps<OutcomeParts | undefined> =>
  openingSigned(keyRing, sealed, (worker) => resultContext(worker, jobId));

/** The end of the outcome's last attempt, the job going on. */
export function sealAttemptEnd(keyRing: KeyRing, parts: OutcomeParts): Buffer {
  const { worker, jobId, attempts } = parts.outcome;
  return seal(keyRing, attemptContext(worker, jobId, attempts.length), formatOutcome(parts));
}

export const openAttemptEnd = (keyRing: KeyRing, jobId: string, attempt: number, sealed: Buffer): OutcomeParts | undefined =>
  atOnce(openingSigned(keyRing, sealed, (worker) => attemptContext(worker, jobId, attempt)));

function* openingSigned(keyRing: KeyRing, sealed: Buffer, contextOf: (worker: string) => SealContext): Steps<OutcomeParts | undefined> {
  const unverified = readUnverified(sealed);
  const worker = unverified && readClaimedWorker(unverified);
  if (worker === undefined) return undefined;
  const content = yield* openingSeal(keyRing, contextOf(worker), sealed);
  return content && parseOutcome(content);
}

export const sealOutput = (keyRing: KeyRing, message: OutputMessage): Buffer =>
  seal(keyRing, outputContext(message.worker, message.jobId), formatOutput(message));

/** What a worker node of this cluster told of this job's output, if it signed exactly that. */
export function openOutput(keyRing: KeyRing, jobId: string, sealed: Buffer): OutputMessage | undefined {
  const unverified = readUnverified(sealed);
  const worker = unverified && readClaimedSender(unverified);
  if (worker === undefined) return undefined;
  const content = openSeal(keyRing, outputContext(worker, jobId), sealed);
  const message = content && parseOutput(content);
  return message?.jobId === jobId && message.worker === worker ? message : undefined;
}
