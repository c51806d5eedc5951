import type { Attempt, Job } from '@python3-cluster/shared';
import type { Verdict } from './judge-run';
import type { Processed } from './processed';
import type { RunReport } from './run-in-slot';

/** The steps of an attempt, one after the other. */
export type AttemptStep = 'verify' | 'slot' | 'child' | 'startMarker' | 'run' | 'outcome';

/** Observes a job on its way through a worker node. */
export interface JobTrace {
  /** The job is verified, or its record could be believed where it was not. */
  belongsTo(job: Job): void;
  /** The step before ends where this one begins. */
  step(name: AttemptStep): void;
  /** The child that takes it. */
  childTaken(pid: number, isWarm: boolean): void;
  /** The record's word on it, and whether its code is to run. */
  startDecided(attempts: readonly Attempt[], isStarted: boolean): void;
  /** For the code's own calls: they go on below its execution. undefined: as the job came. */
  readonly traceparentForCode: string | undefined;
  ran(report: RunReport, verdict: Verdict): void;
  /** How it ended, and whether that is reason enough to export it unsampled: the outcome says so to the API. */
  judge(verdict: Pick<Verdict, 'status' | 'error'>): { readonly traced?: true };
  /** What became of it; an outcome that is to be written then ends the trace when it is. */
  handled(processed: Processed): Processed;
  /** A failure of ours; the job goes back. */
  failed(): void;
  /** This attempt was lost with its template, and the job is started once more: what follows is another attempt's. */
  again(): void;
}

/** Begins to observe a job that a worker node was handed. */
export type TraceJob = (received: { readonly lane: string; readonly jobId: string }) => JobTrace;

const ignore = (): void => undefined;

/** Where traces are not configured. */
export const UNTRACED: JobTrace = {
  belongsTo: ignore,
  step: ignore,
  childTaken: ignore,
  startDecided: ignore,
  traceparentForCode: undefined,
  ran: ignore,
  judge: () => ({}),
  handled: (processed) => processed,
  failed: ignore,
  again: ignore,
};
