import { ClusterError, type Config, type Logger, type RedisKeys } from '@python3-cluster/shared';
import type { Redis } from 'ioredis';
import { defineLaneGauge, gaugeLane, gaugeMemory, type MemoryGauge } from './lane-gauge';
import { classifyRedisFailure } from '../redis/redis-failures';
import type { RedisBreaker } from '../redis/redis-breaker';
import { RedisClock } from './redis-clock';

/** How often Redis is asked how full it is, while this replica accepts jobs or the queue has any. */
const SAMPLE_MS = 400;
/** And while it does not. */
const IDLE_SAMPLE_MS = 5_000;
/** Callers that are about to be refused may have Redis asked anew, together, this often. */
const SECOND_LOOK_MS = 50;
/** Share of Redis' `maxmemory` above which nothing more is accepted: outcomes need room, too. */
const MEMORY_SHARE = 0.9;

/** What a job to be admitted takes up. */
export interface Demand {
  readonly bytes: number;
  /** Whether it waits for its time first. */
  readonly isDelayed: boolean;
}

/** What is known of one lane: the last sample, and what this replica has accepted since. */
interface LaneCount {
  sampledJobs: number;
  sampledBytes: number;
  jobsSince: number;
  sampledDelayed: number;
  delayedSince: number;
  /** Not yet in the lane's counter in Redis. */
  bytesSince: number;
  readonly clock: RedisClock;
}

export interface QueueLimitsOptions {
  /** The connection jobs go over: a sample then sees every job sent before it. */
  readonly redis: Redis;
  readonly keys: RedisKeys;
  readonly config: Config;
  readonly breaker: RedisBreaker;
  readonly servedLanes: () => readonly string[];
  readonly logger: Logger;
}

/**
 * Refuses jobs while there are too many, without a round trip per job:
 *
 *   accepted here ──count──▶ since the last sample ──each sample──▶ counter in Redis ◀──give back── job finished
 *                                     └──── + what the sample said ────▶ full?
 *
 * Jobs that wait for their time do not keep out those that are to run now, but are kept out by both: whoever plans
 * thousands of jobs for tomorrow must not close the lane for today.
 *
 * Other replicas' jobs are seen with the next sample, so several replicas together may accept a little more than the
 * limits say, by at most what the others accept within one sample's time.
 */
export class QueueLimits {
  private readonly options: QueueLimitsOptions;
  private readonly lanes = new Map<string, LaneCount>();
  private memory: MemoryGauge = { usedBytes: 0, maxBytes: 0 };
  private sampledAt = -Infinity;
  private sampling: Promise<void> | undefined;
  private timer: NodeJS.Timeout | undefined;

  constructor(options: QueueLimitsOptions) {
    this.options = options;
    defineLaneGauge(options.redis);
  }

  async start(): Promise<void> {
    this.timer = setInterval(() => {
      if (this.isBusy() || performance.now() - this.sampledAt >= IDLE_SAMPLE_MS) void this.sample();
    }, SAMPLE_MS);
    await this.sample();
  }

  stop(): void {
    clearInterval(this.timer);
  }

  /**
   * Counts a job in; whoever could not queue it after all calls `giveBack`.
   * @throws ClusterError QUEUE_FULL
   */
  async admit(lane: string, demand: Demand): Promise<void> {
    const count = this.countOf(lane);
    // Also for those who come while the first sample is under way: a caller's job is held by the clock that comes with it.
    const isUnknown = !count.clock.isKnown;
    let refusal = this.refusalFor(lane, count, demand);
    if (isUnknown || (refusal !== undefined && this.mayLookAgain())) {
      await this.sample();
      // That one may have begun before the lane was among those it asks about.
      if (!count.clock.isKnown) await this.sample();
      refusal = this.refusalFor(lane, count, demand);
    }
    if (refusal !== undefined) throw new ClusterError('QUEUE_FULL', `${refusal}; nothing was accepted.`);
    if (demand.isDelayed) count.delayedSince += 1;
    else count.jobsSince += 1;
    count.bytesSince += demand.bytes;
  }

  /** The clock of the server that has the lane, from the samples. */
  clockOf(lane: string): RedisClock | undefined {
    return this.lanes.get(lane)?.clock;
  }

  giveBack(lane: string, { bytes, isDelayed }: Demand): void {
    const count = this.countOf(lane);
    if (isDelayed) count.delayedSince = Math.max(0, count.delayedSince - 1);
    else count.jobsSince = Math.max(0, count.jobsSince - 1);
    // below zero if a sample has taken them along: the next one brings them back
    count.bytesSince -= bytes;
  }

  /** Asks Redis now. Never fails; callers at the same time share one sample. */
  async sample(): Promise<void> {
    this.sampling ??= this.takeSample().finally(() => {
      this.sampledAt = performance.now();
      this.sampling = undefined;
    });
    await this.sampling;
  }

  private refusalFor(lane: string, count: LaneCount, { bytes, isDelayed }: Demand): string | undefined {
    const { queueMaxJobs, queueMaxBytes } = this.options.config;
    const waiting = count.sampledJobs + count.jobsSince;
    const delayed = isDelayed ? count.sampledDelayed + count.delayedSince : 0;
    if (waiting + delayed >= queueMaxJobs)
      return `The lane '${lane}' has ${queueMaxJobs} ${isDelayed ? 'waiting and delayed' : 'waiting'} jobs`;
    const unfinished = this.unfinishedBytes();
    // alone, a job may be larger than the limit: it would never be accepted otherwise
    if (unfinished > 0 && unfinished + bytes > queueMaxBytes)
      return `The jobs that are not finished have ${queueMaxBytes} bytes of payload`;
    if (this.memory.maxBytes > 0 && this.memory.usedBytes >= MEMORY_SHARE * this.memory.maxBytes)
      return `Redis has used ${Math.round(100 * MEMORY_SHARE)} % of its memory`;
    return undefined;
  }

  private unfinishedBytes(): number {
    let total = 0;
    for (const count of this.lanes.values()) total += Math.max(0, count.sampledBytes + count.bytesSince);
    return total;
  }

  private mayLookAgain(): boolean {
    return this.sampling !== undefined || performance.now() - this.sampledAt >= SECOND_LOOK_MS;
  }

  private isBusy(): boolean {
    return [...this.lanes.values()].some(
      (count) =>
        count.jobsSince + count.sampledJobs > 0 ||
        count.delayedSince + count.sampledDelayed > 0 ||
        count.bytesSince + count.sampledBytes !== 0,
    );
  }

  private async takeSample(): Promise<void> {
    for (const lane of this.options.servedLanes()) this.countOf(lane);
    await Promise.all([...[...this.lanes].map(([lane, count]) => this.sampleLane(lane, count)), this.sampleMemory()]);
  }

  private async sampleLane(lane: string, count: LaneCount): Promise<void> {
    const { redis, keys, breaker, logger } = this.options;
    const { jobsSince, delayedSince, bytesSince } = count;
    try {
      const askedAt = performance.now();
      const { waitingJobs, delayedJobs, unfinishedBytes, nowMs } = await breaker.run(() => gaugeLane(redis, keys, lane, bytesSince));
      count.clock.add(nowMs, askedAt, performance.now());
      count.sampledJobs = waitingJobs;
      count.sampledDelayed = delayedJobs;
      count.sampledBytes = unfinishedBytes;
      count.jobsSince = Math.max(0, count.jobsSince - jobsSince);
      count.delayedSince = Math.max(0, count.delayedSince - delayedSince);
      count.bytesSince -= bytesSince;
    } catch (error) {
      // Nobody knows whether the counter has them: counting twice would refuse callers, so they are taken as counted.
      if (breaker.state === 'closed' && classifyRedisFailure(error) === 'unanswered') {
        count.bytesSince -= bytesSince;
        count.sampledBytes += bytesSince;
      }
      logger.debug({ err: error, lane }, 'the lane could not be sampled');
    }
  }

  private async sampleMemory(): Promise<void> {
    const { redis, breaker, logger } = this.options;
    try {
      this.memory = await breaker.run(() => gaugeMemory(redis));
    } catch (error) {
      logger.debug({ err: error }, 'the memory of Redis could not be read');
    }
  }

  private countOf(lane: string): LaneCount {
    let count = this.lanes.get(lane);
    if (count === undefined) {
      count = { sampledJobs: 0, sampledDelayed: 0, sampledBytes: 0, jobsSince: 0, delayedSince: 0, bytesSince: 0, clock: new RedisClock() };
      this.lanes.set(lane, count);
    }
    return count;
  }
}
