import type { Redis } from 'ioredis';
import {
  programIdOf,
  type Config,
  type IsolationLevel,
  type Job,
  type KeyRing,
  type LargeContent,
  type Logger,
  type RedisKeys,
} from '@python3-cluster/shared';
import type { JobTrace } from './job-trace';
import { handBack, type HandBackTools } from './hand-back';
import { holdBack } from './hold-back';
import { rejected, stopped, type Verdict } from './judge-run';
import { loadContent } from './load-content';
import { targetOf, unknownTarget, type JobTarget } from './outcome-target';
import type { Processed } from './processed';
import { readJobHead } from './read-job-head';
import type { ReceivedJob } from './received-job';
import type { StartRules } from './take-job';
import { verifyJob, type Refusal } from './verify-job';

export interface AdmissionTools {
  readonly config: Config;
  readonly redis: Redis;
  /** How payloads come that are too large to stand before a renewal of a lock. */
  readonly large: Pick<LargeContent, 'read'>;
  readonly keys: RedisKeys;
  readonly keyRing: KeyRing;
  readonly signing: HandBackTools['signing'];
  readonly level: IsolationLevel;
  readonly logger: Logger;
}

/** How a job that is not to run ends, and what its record must be asked first. */
export interface Closing {
  readonly target: JobTarget;
  readonly rules: StartRules;
  readonly verdict: Verdict;
}

export type JobAdmission =
  | { readonly kind: 'admitted'; readonly job: Job; readonly payload: Buffer; readonly programId?: string | undefined }
  | { readonly kind: 'closed'; readonly closing: Closing }
  | { readonly kind: 'back'; readonly processed: Processed };

/**
 * Whether a job may run here now: its content is there, the API signed it, this node contains its code, its time has come
 * and is not over.
 */
export async function admitJob(tools: AdmissionTools, received: ReceivedJob, trace: JobTrace): Promise<JobAdmission> {
  const { config, large, keys, keyRing, level } = tools;
  const { lane, jobId, signal } = received;
  const content = await loadContent(large, keys, received);
  if (!content.ok) return refuse(tools, received, trace, content);
  const verification = await verifyJob(keyRing, lane, jobId, content.sealed, Date.now());
  if (!verification.ok) {
    const notBefore = verification.code === 'JOB_SIGNATURE_INVALID' ? await handBack(tools, received, content.sealed) : undefined;
    if (notBefore !== undefined) return { kind: 'back', processed: { kind: 'later', notBefore } };
    return refuse(tools, received, trace, verification);
  }
  const { job, payload } = verification;
  trace.belongsTo(job);
  if (level === 'D' && job.mode === 'restricted') return closed(job, rejected('ISOLATION_INSUFFICIENT', NOTHING_CONTAINS_IT));
  // Whoever can write to Redis can promote an entry; when the job may start stands in what the API signed.
  const leftMs = (job.startAfter ?? 0) - Date.now();
  if (leftMs > 0) return { kind: 'back', processed: await holdBack(leftMs, signal) };
  if (isTooLate(job)) return closed(job, stopped('expired'));
  const programId = config.logJobs === 'none' ? undefined : await programIdOf(job.kind, payload);
  return { kind: 'admitted', job, payload, programId };
}

const NOTHING_CONTAINS_IT = 'this worker node has isolation level D, where nothing contains code; it runs ADMIN jobs only';

/** The caller's time is over. */
export const isTooLate = (job: Job): boolean => job.startBefore !== null && Date.now() > job.startBefore;

export const closingOf = (job: Job, verdict: Verdict, programId?: string): Closing => ({
  target: targetOf(job, programId),
  rules: job,
  verdict,
});

const closed = (job: Job, verdict: Verdict): JobAdmission => ({ kind: 'closed', closing: closingOf(job, verdict) });

/** The content cannot be believed: where the outcome goes is read from the job's sealed record instead. */
async function refuse(
  tools: AdmissionTools,
  { lane, jobId }: ReceivedJob,
  trace: JobTrace,
  refusal: Omit<Refusal, 'ok'>,
): Promise<JobAdmission> {
  const { code, message } = refusal;
  tools.logger.error({ event: 'security', errorCode: code, jobId, lane }, `job refused: ${message}`);
  const head = await readJobHead(tools, lane, jobId);
  if (head !== undefined) trace.belongsTo(head);
  const target = head ? { ...targetOf(head), lane } : unknownTarget(lane, jobId, tools.config.resultTtlSeconds * 1_000);
  const rules = head ?? { delivery: 'at-least-once' as const };
  return { kind: 'closed', closing: { target, rules, verdict: rejected(code, message) } };
}
