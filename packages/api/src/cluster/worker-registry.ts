import { HEARTBEAT_MS, WORKER_GONE_MS, type Logger, type RedisKeys, type WorkerHeartbeat } from '@python3-cluster/shared';
import type { Redis } from 'ioredis';
import { parseHeartbeat } from './parse-heartbeat';

/** Entries that have not changed for this long belong to worker nodes that died without a word. */
const REMOVE_AFTER_MS = 60_000;

/** A registry not read for this long says nothing about the present. */
const FRESH_MS = 3 * HEARTBEAT_MS;

/** Heartbeats are not signed: whoever can write to Redis must not fill our memory. */
const MOST_LANES = 1_000;

export interface WorkerRegistryOptions {
  readonly redis: Redis;
  readonly keys: RedisKeys;
  readonly logger: Logger;
  /** Refuses while the breaker is open. */
  readonly guard?: <T>(command: () => Promise<T>) => Promise<T>;
}

interface Sighting {
  readonly heartbeat: WorkerHeartbeat;
  /** On our own monotonic clock: clocks of other hosts are not trusted. */
  readonly changedAt: number;
  /** Whether it has changed under our eyes: what was silent at first sight may have been so for long. */
  readonly hasBeat: boolean;
}

export interface LostWorker {
  readonly nodeName: string;
  /** Epoch milliseconds; 0: before this replica looked. */
  readonly heardAt: number;
}

/**
 * Which worker nodes live, from their heartbeats. Read in the background; whoever asks gets what is known, without a
 * call to Redis, so that status routes answer while every slot is held or Redis is away.
 */
export class WorkerRegistry {
  private readonly options: WorkerRegistryOptions;
  private sightings = new Map<string, Sighting>();
  private readonly servedLanes = new Set<string>();
  private readAt = -Infinity;
  private reading: Promise<void> | undefined;
  private timer: NodeJS.Timeout | undefined;

  constructor(options: WorkerRegistryOptions) {
    this.options = options;
  }

  async start(): Promise<void> {
    this.timer = setInterval(() => void this.refresh(), HEARTBEAT_MS);
    // jobs are refused until the list is recent again, so do not wait for the next turn
    this.options.redis.on('ready', () => void this.refresh());
    await this.refresh();
  }

  stop(): void {
    clearInterval(this.timer);
  }

  /** Worker nodes whose heartbeat has changed lately; first sight counts as a change. */
  liveWorkers(): WorkerHeartbeat[] {
    const now = performance.now();
    return [...this.sightings.values()]
      .filter((sighting) => now - sighting.changedAt <= WORKER_GONE_MS)
      .map((sighting) => sighting.heartbeat);
  }

  /** Those that fell silent less than a minute ago without taking leave. */
  lostWorkers(): LostWorker[] {
    const now = performance.now();
    return [...this.sightings.values()]
      .filter(({ changedAt }) => now - changedAt > WORKER_GONE_MS)
      .map(({ heartbeat: { nodeName }, changedAt, hasBeat }) => ({ nodeName, heardAt: hasBeat ? Date.now() - (now - changedAt) : 0 }));
  }

  /** Whether a worker node served the lane in this replica's time. */
  hasServed(lane: string): boolean {
    return this.servedLanes.has(lane);
  }

  servesLane(lane: string): boolean {
    return this.liveWorkers().some((worker) => !worker.draining && worker.lanes.includes(lane));
  }

  /** Whether the list is recent. If not, Redis is away, and so is what the list says. */
  isFresh(): boolean {
    return performance.now() - this.readAt <= FRESH_MS;
  }

  /** Reads the registry now. Never fails; callers at the same time share one read. */
  async refresh(): Promise<void> {
    this.reading ??= this.read().finally(() => (this.reading = undefined));
    await this.reading;
  }

  private async read(): Promise<void> {
    const { redis, keys, logger, guard = (command) => command() } = this.options;
    try {
      this.take(await guard(() => redis.hgetall(keys.workers)));
    } catch (error) {
      logger.debug({ err: error }, 'the worker registry could not be read');
    }
  }

  private take(entries: Readonly<Record<string, string>>): void {
    const now = performance.now();
    // After a gap nobody was watched, so nobody's silence counts.
    const sawLast = this.isFresh();
    const sightings = new Map<string, Sighting>();
    for (const [id, text] of Object.entries(entries)) {
      const heartbeat = parseHeartbeat(text);
      const known = this.sightings.get(id);
      const isUnchanged = sawLast && known !== undefined && known.heartbeat.sequence === heartbeat?.sequence;
      const changedAt = isUnchanged ? known.changedAt : now;
      if (heartbeat === undefined) this.options.logger.debug({ worker: id.slice(0, 100) }, 'a heartbeat could not be read');
      else if (now - changedAt > REMOVE_AFTER_MS) this.remove(id);
      else sightings.set(id, { heartbeat, changedAt, hasBeat: known !== undefined && (known.hasBeat || !isUnchanged) });
      for (const lane of heartbeat?.lanes ?? []) if (this.servedLanes.size < MOST_LANES) this.servedLanes.add(lane);
    }
    this.sightings = sightings;
    this.readAt = now;
  }

  private remove(id: string): void {
    const { redis, keys } = this.options;
    redis.hdel(keys.workers, id).catch(() => undefined);
  }
}
