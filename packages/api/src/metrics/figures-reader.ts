import { ClusterError, LANE_PATTERN, type Logger, type PoolStats, type RedisKeys, type WorkerHeartbeat } from '@python3-cluster/shared';
import type { Redis } from 'ioredis';
import type { RedisBreaker } from '../redis/redis-breaker';
import type { ClusterFigures, LaneFigures, PoolFigures, WorkerFigures } from './cluster-figures';
import { addCounts, createCounts, type Counts } from './lane-counts';
import { defineReadLane, readLane, type LaneReading } from './read-lane';
import { sumOfWindow, summarizeStatuses, toTotals, toWindow } from './to-figures';

/** Those who ask within this time share one reading. */
const SHARED_MS = 1_000;
const WINDOW_MINUTES = 5;
/** Lanes that are served come first; the set of all that ever were can be written by anybody who can write to Redis. */
const MOST_LANES = 200;

export interface FiguresReaderOptions {
  readonly redis: Redis;
  readonly keys: RedisKeys;
  readonly breaker: RedisBreaker;
  readonly liveWorkers: () => readonly WorkerHeartbeat[];
  readonly logger: Logger;
}

export interface FiguresReading {
  readonly figures: ClusterFigures;
  /** The counters since the store began of each lane, by kind and error type, too. */
  readonly totals: ReadonlyMap<string, Counts>;
  /** `performance.now()`. */
  readonly readAt: number;
}

/**
 * Reads the figures of all lanes, one command for each, at most once a second however many ask: the Prometheus endpoint,
 * the metrics routes, the alerts. All replicas read the same counters.
 */
export class FiguresReader {
  private readonly options: FiguresReaderOptions;
  private last: FiguresReading | undefined;
  private reading: Promise<FiguresReading> | undefined;

  constructor(options: FiguresReaderOptions) {
    this.options = options;
    defineReadLane(options.redis);
  }

  /** @throws ClusterError QUEUE_UNAVAILABLE while the breaker is open, and what Redis answers */
  readonly read = async (): Promise<ClusterFigures> => (await this.readAll()).figures;

  async readAll(): Promise<FiguresReading> {
    if (this.last !== undefined && performance.now() - this.last.readAt < SHARED_MS) return this.last;
    this.reading ??= this.ask().finally(() => (this.reading = undefined));
    return this.reading;
  }

  /** Redis asked anew if it may be; else what was last known. Never fails. */
  async readOrLast(): Promise<{ readonly reading: FiguresReading | undefined; readonly isCurrent: boolean }> {
    try {
      return { reading: await this.readAll(), isCurrent: true };
    } catch (error) {
      this.options.logger.debug({ err: error }, 'the figures could not be read');
      return { reading: this.last, isCurrent: false };
    }
  }

  /** Asks Redis about every lane there is. @throws ClusterError QUEUE_UNAVAILABLE */
  ofEachLane<T>(ask: (lane: string) => Promise<T>): Promise<T[]> {
    const { redis, keys, liveWorkers } = this.options;
    return this.guarded(async () => {
      const served = liveWorkers().flatMap((worker) => worker.lanes);
      const known = (await redis.smembers(keys.lanes)).filter((lane) => LANE_PATTERN.test(lane));
      const lanes = [...new Set([...served, ...known])].slice(0, MOST_LANES).sort();
      return Promise.all(lanes.map(ask));
    });
  }

  /** @throws ClusterError QUEUE_UNAVAILABLE, whatever Redis did */
  async guarded<T>(ask: () => Promise<T>): Promise<T> {
    try {
      return await this.options.breaker.run(ask);
    } catch (error) {
      throw error instanceof ClusterError ? error : new ClusterError('QUEUE_UNAVAILABLE', undefined, { cause: error });
    }
  }

  private async ask(): Promise<FiguresReading> {
    const { redis, keys, liveWorkers } = this.options;
    const readAt = performance.now();
    const workers = liveWorkers();
    const readings = await this.ofEachLane((lane) => readLane(redis, keys, lane, WINDOW_MINUTES));
    const totals = new Map(readings.map((reading) => [reading.lane, reading.totals]));
    return (this.last = { figures: toClusterFigures(readings, workers), totals, readAt });
  }
}

function toClusterFigures(readings: readonly LaneReading[], workers: readonly WorkerHeartbeat[]): ClusterFigures {
  const fiveMinutes = sumOfWindow(readings, WINDOW_MINUTES);
  const totals = createCounts();
  for (const reading of readings) addCounts(totals, reading.totals);
  return {
    readAt: Math.max(0, ...readings.map(({ now }) => now)),
    lastMinute: toWindow(sumOfWindow(readings, 1), 1),
    lastFiveMinutes: toWindow(fiveMinutes, WINDOW_MINUTES),
    totals: toTotals(totals),
    lanes: readings.map((reading) => toLaneFigures(reading, workers)),
    pool: toPoolFigures(workers.map(({ pool }) => pool)),
    workers: workers.map((worker) => toWorkerFigures(worker, fiveMinutes)),
  };
}

function toLaneFigures(reading: LaneReading, workers: readonly WorkerHeartbeat[]): LaneFigures {
  const { lane, waiting, delayed, active, oldestWaitingMs, totals } = reading;
  return {
    lane,
    workers: workers.filter((worker) => !worker.draining && worker.lanes.includes(lane)).length,
    waiting,
    delayed,
    active,
    oldestWaitingMs,
    lastMinute: toWindow(sumOfWindow([reading], 1), 1),
    lastFiveMinutes: toWindow(sumOfWindow([reading], WINDOW_MINUTES), WINDOW_MINUTES),
    totals: toTotals(totals),
  };
}

function toWorkerFigures({ id, nodeName, lanes, draining, pool }: WorkerHeartbeat, fiveMinutes: Counts): WorkerFigures {
  return {
    id,
    nodeName,
    lanes,
    draining,
    pool: toPoolFigures([pool]),
    lastFiveMinutes: summarizeStatuses(fiveMinutes.workers.get(id) ?? {}),
  };
}

function toPoolFigures(pools: readonly PoolStats[]): PoolFigures {
  const sum = (pick: (pool: PoolStats) => number): number => pools.reduce((total, pool) => total + pick(pool), 0);
  const max = sum((pool) => pool.max);
  const inUse = sum((pool) => pool.inUse);
  return {
    size: sum((pool) => pool.size),
    max,
    inUse,
    healthy: sum((pool) => pool.healthy),
    waiting: sum((pool) => pool.waiting),
    utilization: max === 0 ? 0 : Math.min(1, inUse / max),
  };
}
