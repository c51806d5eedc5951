import {
  ClusterError, defineWhyGone, inTurns, laneOfJobId, openingOutcome, openJobHead, OUTCOME_STATUSES, RECORD_FIELDS, WHY_GONE,
  type Attempt, type Job, type JobState, type KeyRing, type LargeContent, type OutcomeParts, type RedisKeys, type WhyGone,
} from '@python3-cluster/shared'; // prettier-ignore
import type { Redis } from 'ioredis';
import type { RedisBreaker } from '../redis/redis-breaker';
import { parseState, shownState } from './shown-state';

/** A job's record, its sealed parts verified. */
export interface JobRecord {
  readonly job: Job;
  readonly state: JobState;
  readonly attempts: readonly Attempt[];
  readonly parts: OutcomeParts | undefined;
  /** Epoch milliseconds; unsigned, only shown. */
  readonly cancelRequestedAt?: number | null;
  /** Epoch milliseconds; unsigned, only shown. */
  readonly retryAt?: number | null;
}

/** The record of a job that has ended. */
export type FinishedRecord = JobRecord & { readonly parts: OutcomeParts };

export interface OutcomeStore {
  /** The outcome, once there is one. @throws ClusterError OUTCOME_UNVERIFIED */
  readonly readOutcome: (jobId: string) => Promise<OutcomeParts | undefined>;
  /** Why there is no record of a job that had an outcome, and whose it was; undefined where nobody knows of such a job. */
  readonly whyGone: (jobId: string) => Promise<{ readonly why: WhyGone; readonly owner: string } | undefined>;
  /** @throws ClusterError OUTCOME_UNVERIFIED, QUEUE_UNAVAILABLE */
  readonly readRecord: (jobId: string) => Promise<JobRecord | undefined>;
}

export interface OutcomeStoreOptions {
  readonly redis: Redis;
  readonly large: LargeContent;
  readonly keys: RedisKeys;
  readonly keyRing: KeyRing;
  readonly breaker: RedisBreaker;
  /** Told of each record or outcome that is not believed. */
  readonly onRefused?: (jobId: string) => void;
}

export function createOutcomeStore({ redis, large, keys, keyRing, breaker, onRefused }: OutcomeStoreOptions): OutcomeStore {
  defineWhyGone(redis);
  const refuse = (jobId: string): ClusterError => {
    onRefused?.(jobId);
    return new ClusterError('OUTCOME_UNVERIFIED', undefined, { details: { jobId } });
  };
  const verifyOutcome = async (jobId: string, sealed: Buffer): Promise<OutcomeParts> => {
    const parts = await inTurns(openingOutcome(keyRing, jobId, sealed));
    if (parts === undefined) throw refuse(jobId);
    return parts;
  };
  const recordKey = (jobId: string): string => keys.jobRecord(laneOfJobId(jobId) ?? '', jobId);
  const readLarge = (jobId: string, bytes: number): Promise<Buffer | undefined> =>
    breaker.run(() => large.read(keys.jobOutcome(laneOfJobId(jobId) ?? '', jobId), bytes));
  return {
    readOutcome: async (jobId) => {
      const [whole, size] = await breaker.run(() => redis.hmgetBuffer(recordKey(jobId), RECORD_FIELDS.outcome, RECORD_FIELDS.outcomeBytes));
      const sealed = whole ?? (size ? await readLarge(jobId, Number(size)) : undefined);
      return sealed === undefined ? undefined : verifyOutcome(jobId, sealed);
    },
    whyGone: async (jobId) => {
      const lane = laneOfJobId(jobId) ?? '';
      const noted = await breaker.run(() => redis.whyGone(keys.gone(lane), keys.outcomeExpiry(lane), jobId)).catch(notLookedUp);
      return noted ? { why: noted[0] === WHY_GONE.removed ? 'removed' : 'expired', owner: noted[1] } : undefined;
    },
    readRecord: async (jobId) => {
      const { job, state, attempts, outcome, outcomeBytes, cancelRequested, retryAt } = RECORD_FIELDS;
      const [sealedJob, stateText, attemptsText, whole, size, cancelText, retryText] = await breaker
        .run(() => redis.hmgetBuffer(recordKey(jobId), job, state, attempts, outcome, outcomeBytes, cancelRequested, retryAt))
        .catch(notLookedUp);
      if (!sealedJob || !stateText) return undefined;
      const head = openJobHead(keyRing, jobId, sealedJob);
      if (head === undefined) throw refuse(jobId);
      const sealedOutcome = whole ?? (size ? await readLarge(jobId, Number(size)).catch(notLookedUp) : undefined);
      // Removed between the two looks: so is the record.
      if (size && !sealedOutcome && (await breaker.run(() => redis.exists(recordKey(jobId))).catch(notLookedUp)) === 0) return undefined;
      if (size && !sealedOutcome) throw refuse(jobId);
      return {
        job: head,
        state: shownState(parseState(stateText), { startAfter: head.startAfter, retryAt: parseTime(retryText) }),
        attempts: parseAttempts(attemptsText),
        parts: sealedOutcome ? await verifyOutcome(jobId, sealedOutcome) : undefined,
        cancelRequestedAt: parseTime(cancelText),
        retryAt: parseTime(retryText),
      };
    },
  };
}

const notLookedUp = (error: unknown): never => {
  throw new ClusterError('QUEUE_UNAVAILABLE', 'Redis cannot be reached; the job was not looked up.', { cause: error });
};

/** Unsigned until the job has ended; only shown. */
export function parseAttempts(text: Buffer | null | undefined): Attempt[] {
  try {
    const attempts: unknown = JSON.parse(text?.toString('utf8') ?? '[]');
    return Array.isArray(attempts) ? attempts.filter(isAttempt) : [];
  } catch {
    return [];
  }
}

/** Unsigned; only shown. */
export function parseTime(text: Buffer | null | undefined): number | null {
  const time = Number(text?.toString('latin1') ?? NaN);
  return Number.isSafeInteger(time) ? time : null;
}

function isAttempt(value: unknown): value is Attempt {
  if (typeof value !== 'object' || value === null) return false;
  const { number, worker, startedAt, status, error, finishedAt } = value as Readonly<Record<string, unknown>>;
  return (
    typeof number === 'number' &&
    typeof worker === 'string' &&
    typeof startedAt === 'number' &&
    (status === undefined || OUTCOME_STATUSES.some((known) => known === status)) &&
    (finishedAt === undefined || typeof finishedAt === 'number') &&
    isAttemptError(error ?? null)
  );
}

const isAttemptError = (error: unknown): boolean =>
  error === null ||
  (typeof error === 'object' &&
    'type' in error &&
    typeof error.type === 'string' &&
    'message' in error &&
    typeof error.message === 'string');
