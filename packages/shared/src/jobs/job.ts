import type { Delivery, JobIsolation, JobMode, RetryableStatus, RunKind } from './job-words';

/** Version of the wire protocol: what API and worker nodes tell each other in Redis. */
export const WIRE_VERSION = 1;

/**
 * What the API signs and a worker node verifies. Everything a worker node acts upon stands here or in the payload,
 * and both are under the signature.
 */
export interface Job {
  readonly version: typeof WIRE_VERSION;
  readonly id: string;
  readonly lane: string;
  readonly kind: RunKind;
  readonly mode: JobMode;
  readonly isolation: JobIsolation;
  readonly delivery: Delivery;
  /** Key, or group of keys, the job belongs to. */
  readonly owner: string;
  readonly limits: JobLimits;
  /** Epoch milliseconds. */
  readonly issuedAt: number;
  /** Epoch milliseconds after which the signature is not believed. */
  readonly validUntil: number;
  /** Epoch milliseconds before which it is not started (`delayMs`); absent: at once. */
  readonly startAfter?: number | undefined;
  /** Epoch milliseconds after which the job must not start any more (its caller is gone), or null. */
  readonly startBefore: number | null;
  /** It starts only while an API replica holds it for a caller that waits (`caller-hold.ts`); absent: in any case. */
  readonly held?: true;
  /** Most starts, whatever ended them; absent: `MAX_STARTS`, or one if `at-most-once`. */
  readonly attempts?: number | undefined;
  /** Ends of the code after which it is started again while it has starts left; absent: none. */
  readonly retry?: RetryRule;
  /** 1, most urgent, to 100; absent: `DEFAULT_PRIORITY`. Only shown: the queue orders by what it was given with the entry. */
  readonly priority?: number;
  /** The caller's own marks, for finding the job again. */
  readonly labels?: Readonly<Record<string, string>>;
  /** What its runs are counted under, where what it runs has a name: `module.function` of a call. */
  readonly program?: string;
  /** How long the outcome is kept. */
  readonly resultTtlMs: number;
  /** Reply channel of the API replica whose caller waits, or null. */
  readonly replyTo: string | null;
  /** W3C trace context of the caller, or null. */
  readonly traceparent: string | null;
}

/** Between `startBefore` and the end of the signature: a worker node that is late says `expired`, not `rejected`. */
export const EXPIRY_MARGIN_MS = 60_000;

/**
 * Whether somebody waits for as long as the job may start: its signature ends with that wait. Other jobs with a
 * `startBefore` (`expiresInMs`) are signed for longer, so that one picked up very late still ends `expired`.
 */
export const endsWithItsCaller = (job: Job): boolean => job.startBefore !== null && job.validUntil <= job.startBefore + EXPIRY_MARGIN_MS;

export interface RetryRule {
  readonly on: readonly RetryableStatus[];
  /** Pause after the first such end; it doubles with each further one. */
  readonly backoffMs: number;
}

/** Starts after which a job that keeps taking its node down is given up, unless it names another number. */
export const MAX_STARTS = 3;
/** Most starts a job may ask for. */
export const STARTS_CEILING = 10;

/** How often the job may be started in all. */
export const mostStartsOf = (job: Pick<Job, 'attempts' | 'delivery'>): number =>
  job.attempts ?? (job.delivery === 'at-most-once' ? 1 : MAX_STARTS);

/** Numbers run from the most urgent up, as BullMQ's do. The default leaves room on both sides. */
export const PRIORITY = { mostUrgent: 1, least: 100 } as const;
export const DEFAULT_PRIORITY = 50;

/** Longest pause before a retry, and highest `backoffMs`. */
export const BACKOFF_CEILING_MS = 3_600_000;

/** The longest the pause after the given attempt can be: `backoffMs`, doubled with each further attempt, up to the ceiling. */
export const longestBackoffMs = (backoffMs: number, attempt: number): number =>
  Math.min(BACKOFF_CEILING_MS, backoffMs * 2 ** (attempt - 1));

export interface JobLimits {
  readonly timeoutMs: number;
  readonly memoryMb: number;
  readonly cpuSeconds: number;
}
