import type { Delivery, JobMode, RunKind } from './job-words';

/**
 * What the API signs and a worker node verifies. Everything a worker node acts upon stands here or in the payload,
 * and both are under the signature.
 */
export interface Job {
  readonly version: 1;
  readonly id: string;
  readonly lane: string;
  readonly kind: RunKind;
  readonly mode: JobMode;
  readonly isolation: 'fresh';
  readonly delivery: Delivery;
  /** Key, or group of keys, the job belongs to. */
  readonly owner: string;
  readonly limits: JobLimits;
  /** Epoch milliseconds. */
  readonly issuedAt: number;
  /** Epoch milliseconds after which the signature is not believed. */
  readonly validUntil: number;
  /** Epoch milliseconds after which the job must not start any more (its caller is gone), or null. */
  readonly startBefore: number | null;
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

export interface JobLimits {
  readonly timeoutMs: number;
  readonly memoryMb: number;
  readonly cpuSeconds: number;
}
