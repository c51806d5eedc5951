import type { Attempt, Job, Tally } from '@python3-cluster/shared';

/** Where the outcome of a job belongs and who waits for it, as its signed head says. */
export interface JobTarget {
  readonly kind: Tally['kind'];
  readonly program?: string | undefined;
  /** For the log only: what `programIdOf` says, and the caller's own marks. */
  readonly programId?: string | undefined;
  readonly labels?: Readonly<Record<string, string>> | undefined;
  readonly jobId: string;
  readonly lane: string;
  /** Whose bytes the outcome counts as; '' where the job's own record cannot be believed. */
  readonly owner: string;
  readonly issuedAt: number;
  readonly resultTtlMs: number;
  readonly replyTo: string | null;
  readonly traceparent: string | null;
}

/** The same once the job was taken. */
export interface OutcomeTarget extends JobTarget {
  /** Its spans are exported although its trace is not sampled. */
  readonly traced?: true;
  readonly token: string;
  readonly attempts: readonly Attempt[];
}

export function targetOf(job: Job, programId?: string): JobTarget {
  const { id: jobId, lane, kind, program, labels, owner, issuedAt, resultTtlMs, replyTo, traceparent } = job;
  return { jobId, lane, kind, program, programId, labels, owner, issuedAt, resultTtlMs, replyTo, traceparent };
}

/** Of a job whose record is not believed either: its outcome waits for whoever asks by its id. */
export const unknownTarget = (lane: string, jobId: string, resultTtlMs: number): JobTarget => ({
  jobId,
  lane,
  kind: 'unknown',
  owner: '',
  issuedAt: Date.now(),
  resultTtlMs,
  replyTo: null,
  traceparent: null,
});
