import { setTimeout as pause } from 'node:timers/promises';
import { ClusterError, defineHoldCommand, HOLD_MS, HOLD_RENEW_MS, type Job, type Logger, type RedisKeys } from '@python3-cluster/shared';
import type { Redis } from 'ioredis';
import type { RedisBreaker } from '../redis/redis-breaker';
import type { RedisClock } from './redis-clock';

export interface CallerHoldsOptions {
  /** The connection jobs go over. */
  readonly redis: Redis;
  readonly keys: RedisKeys;
  readonly breaker: RedisBreaker;
  /** Of the server that has the lane. */
  readonly clockOf: (lane: string) => RedisClock | undefined;
  readonly logger: Logger;
}

interface Hold {
  readonly lane: string;
  /** `performance.now()`; of the hold that the job was accepted with. */
  readonly endsAt: number;
  isKept: boolean;
}

/** Ids in one command: a millisecond of Redis' time. */
const MOST_AT_ONCE = 1_000;

/**
 * Holds the jobs whose callers wait here (`shared/src/redis/caller-hold.ts`): one command a second for each lane with such jobs, and none
 * for the job itself.
 *
 *   grant ──accepted──▶ keep: renewed ──the caller has its answer, or is gone──▶ release
 *     └──nobody knows──▶ lapse: it does not start any more
 */
export class CallerHolds {
  private readonly options: CallerHoldsOptions;
  private readonly holds = new Map<string, Hold>();
  private timer: NodeJS.Timeout | undefined;

  constructor(options: CallerHoldsOptions) {
    this.options = options;
    defineHoldCommand(options.redis);
  }

  start(): void {
    this.timer = setInterval(() => void this.renew(), HOLD_RENEW_MS);
    this.options.redis.on('ready', () => void this.renew());
    this.options.breaker.on('close', () => void this.renew());
  }

  stop(): void {
    clearInterval(this.timer);
  }

  /** Until when the job is held (epoch ms, Redis' clock); it is accepted by then or not at all. @throws ClusterError QUEUE_UNAVAILABLE */
  grant({ id, lane }: Pick<Job, 'id' | 'lane'>): number {
    const until = this.options.clockOf(lane)?.earliestIn(HOLD_MS);
    if (until === undefined) throw new ClusterError('QUEUE_UNAVAILABLE');
    this.holds.set(id, { lane, endsAt: performance.now() + HOLD_MS, isKept: false });
    return until;
  }

  /** The job is accepted, and its caller waits. */
  keep(jobId: string): void {
    const hold = this.holds.get(jobId);
    if (hold) hold.isKept = true;
  }

  release(jobId: string): void {
    this.holds.delete(jobId);
  }

  /** Resolves when a job that was never kept cannot start any more. */
  async lapse(jobId: string): Promise<void> {
    const hold = this.holds.get(jobId);
    this.holds.delete(jobId);
    if (hold) await pause(Math.max(0, hold.endsAt - performance.now()));
  }

  private async renew(): Promise<void> {
    const { redis, keys, breaker, clockOf, logger } = this.options;
    const lanes = new Map<string, string[]>();
    for (const [jobId, { lane, isKept }] of this.holds) {
      if (!isKept) continue;
      const jobIds = lanes.get(lane);
      if (jobIds === undefined) lanes.set(lane, [jobId]);
      else jobIds.push(jobId);
    }
    if (redis.status !== 'ready' || breaker.state !== 'closed') return;
    const commands = [...lanes].flatMap(([lane, jobIds]) => {
      const until = clockOf(lane)?.earliestIn(HOLD_MS);
      if (until === undefined) return [];
      const parts = Array.from({ length: Math.ceil(jobIds.length / MOST_AT_ONCE) }, (_, at) =>
        jobIds.slice(at * MOST_AT_ONCE, (at + 1) * MOST_AT_ONCE),
      );
      return parts.map((part) => breaker.run(() => redis.renewHolds(keys.jobRecord(lane, ''), until, ...part)));
    });
    await Promise.all(commands).catch((error: unknown) => logger.debug({ error: String(error) }, 'holds were not renewed'));
  }
}
