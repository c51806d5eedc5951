import {
  ClusterError, findQuarantine, isHalfOpen, QuarantineList, quarantineMessage, secondsLeft,
  type Job, type KeyRing, type Logger, type QuarantineEntry, type RedisKeys,
} from '@python3-cluster/shared'; // prettier-ignore
import type { Redis } from 'ioredis';
import type { RedisBreaker } from '../redis/redis-breaker';

/** Refuses jobs whose program is quarantined, so that their callers hear of it at once. Worker nodes look again before a start. */
export interface QuarantineGate {
  /** @throws ClusterError PROGRAM_QUARANTINED, QUEUE_UNAVAILABLE */
  readonly assertMayRun: (job: Pick<Job, 'owner' | 'kind'>, payload: Buffer) => Promise<void>;
}

export interface QuarantineGateOptions {
  readonly redis: Redis;
  readonly keys: RedisKeys;
  readonly keyRing: KeyRing;
  readonly breaker: RedisBreaker;
  readonly logger: Logger;
}

/** Between two looks of a caller that meets a trial under way. */
const TRIAL_RETRY_SECONDS = 5;

/** The gate, and the list it looks into, which must be started. */
export function createQuarantineGate(options: QuarantineGateOptions): { readonly gate: QuarantineGate; readonly list: QuarantineList } {
  const { redis, keys, breaker } = options;
  const list = new QuarantineList({ ...options, guard: (command) => breaker.run(command) });
  const gate: QuarantineGate = {
    assertMayRun: async (job, payload) => {
      const entry = await findQuarantine(list, job, payload);
      if (entry === undefined) return;
      if (!isHalfOpen(entry)) throw refusal(entry, secondsLeft(entry));
      // Its time is over: a job may try it, unless one does so now.
      if ((await breaker.run(() => redis.exists(keys.quarantineTrial(entry.id)))) === 1) throw refusal(entry, TRIAL_RETRY_SECONDS);
    },
  };
  return { gate, list };
}

const refusal = (entry: QuarantineEntry, retryAfterSeconds: number): ClusterError =>
  new ClusterError('PROGRAM_QUARANTINED', quarantineMessage(entry), { retryAfterSeconds, details: { quarantineId: entry.id } });
