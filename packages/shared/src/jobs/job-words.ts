/** The vocabulary of jobs; see `docs/glossary.md`. */

export const JOB_KINDS = ['exec', 'eval', 'call'] as const;
export type JobKind = (typeof JOB_KINDS)[number];

/** What a child can be asked to do: the callers' kinds, and a syntax check, which parses and runs nothing. */
export type RunKind = JobKind | 'check';

export const JOB_MODES = ['restricted', 'admin'] as const;
export type JobMode = (typeof JOB_MODES)[number];

export const DELIVERIES = ['at-least-once', 'at-most-once'] as const;
export type Delivery = (typeof DELIVERIES)[number];

/**
 * `fresh`: a process of its own. `warm`: one kept for the owner, mode and code. `auto`: warm once the code has come back
 * often enough. What it really had stands in the outcome.
 */
export const JOB_ISOLATIONS = ['fresh', 'warm', 'auto'] as const;
export type JobIsolation = (typeof JOB_ISOLATIONS)[number];

/** `delayed`: not to be started before a point in time, be it the first start or the next after a retryable end. */
export const JOB_STATES = ['waiting', 'delayed', 'active', 'finished'] as const;
export type JobState = (typeof JOB_STATES)[number];

export const OUTCOME_STATUSES = [
  'succeeded', 'failed', 'timed_out', 'out_of_memory', 'cpu_exceeded', 'crashed', 'cancelled', 'expired', 'lost', 'rejected',
] as const; // prettier-ignore
export type OutcomeStatus = (typeof OUTCOME_STATUSES)[number];

/** Ends of an attempt upon which a job may ask to be started again (`retryOn`). */
export const RETRYABLE_STATUSES = ['failed', 'timed_out', 'out_of_memory', 'cpu_exceeded', 'crashed'] as const;
export type RetryableStatus = (typeof RETRYABLE_STATUSES)[number];

/** A: uid + namespaces + Landlock + seccomp … D: nothing contains the code. */
export const ISOLATION_LEVELS = ['A', 'B', 'C', 'D'] as const;
export type IsolationLevel = (typeof ISOLATION_LEVELS)[number];

/** Roles of keys, least first. */
export const ROLES = ['viewer', 'operator', 'developer', 'admin'] as const;
export type Role = (typeof ROLES)[number];

export const isRoleAtLeast = (role: Role, least: Role): boolean => ROLES.indexOf(role) >= ROLES.indexOf(least);
