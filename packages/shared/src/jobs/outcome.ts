import type { IsolationLevel, OutcomeStatus } from './job-words';

/** How a job ended. A value, whatever the user's code did. */
export interface Outcome {
  readonly version: 1;
  readonly jobId: string;
  readonly status: OutcomeStatus;
  /** Whether the code gave a value; `exec` without a variable `result` gives none. */
  readonly hasValue: boolean;
  readonly error: OutcomeError | null;
  readonly truncated: boolean;
  /** Limits that made something fail without ending the job, e.g. `file_size`. */
  readonly limitsHit: readonly LimitName[];
  readonly timings: OutcomeTimings;
  readonly worker: string;
  readonly level: IsolationLevel;
  /** Whether the process had run this owner's same code before; absent where nothing ran. */
  readonly isolation?: 'fresh' | 'warm';
  readonly attempts: readonly Attempt[];
  /** Epoch milliseconds. */
  readonly finishedAt: number;
  /** Its spans are exported although its trace is not sampled, as it failed. */
  readonly traced?: true;
}

export interface OutcomeError {
  /** Exception class, or an error code of ours where `status` is `rejected`, `crashed`, … */
  readonly type: string;
  readonly message: string;
  readonly line: number | null;
  readonly traceback: string;
}

export interface OutcomeTimings {
  readonly queuedMs: number;
  readonly runMs: number;
  readonly totalMs: number;
  readonly cpuMs: number;
  readonly maxMemoryBytes: number;
}

export interface Attempt {
  readonly number: number;
  readonly worker: string;
  /** Epoch milliseconds. */
  readonly startedAt: number;
  /** How it ended: a status the run itself had, or `lost` where node or template went down under it. Absent: not known to have ended. */
  readonly status?: OutcomeStatus;
  /** Of a run that ended: class and message, cut to `MAX_ATTEMPT_MESSAGE` characters. */
  readonly error?: AttemptError | null;
  /** Epoch milliseconds; absent where nobody saw the end. */
  readonly finishedAt?: number;
}

export type AttemptError = Pick<OutcomeError, 'type' | 'message'>;

export const MAX_ATTEMPT_MESSAGE = 500;

export const LIMIT_NAMES = ['memory', 'scratch', 'file_size', 'open_files', 'processes', 'output'] as const;
export type LimitName = (typeof LIMIT_NAMES)[number];

/** An outcome with its raw parts: `value` is JSON text exactly as Python wrote it. */
export interface OutcomeParts {
  readonly outcome: Outcome;
  readonly value: Buffer;
  readonly stdout: Buffer;
  readonly stderr: Buffer;
}
