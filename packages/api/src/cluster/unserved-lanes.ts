import { HEARTBEAT_MS, LANE_PATTERN, type Logger, type RedisKeys } from '@python3-cluster/shared';
import type { Redis } from 'ioredis';
import type { RedisBreaker } from '../redis/redis-breaker';
import type { WorkerRegistry } from './worker-registry';

export interface UnservedLanesOptions {
  readonly redis: Redis;
  readonly keys: RedisKeys;
  readonly breaker: RedisBreaker;
  readonly registry: WorkerRegistry;
  readonly logger: Logger;
}

/** Whoever can write to Redis can name as many lanes as they like. */
const MOST_LANES = 100;

/** Lanes that have waiting jobs and no worker node that would take them. Looked at once a second; whoever asks gets what was seen. */
export class UnservedLanes {
  private readonly options: UnservedLanesOptions;
  private waiting = new Map<string, number>();
  private timer: NodeJS.Timeout | undefined;

  constructor(options: UnservedLanesOptions) {
    this.options = options;
  }

  async start(): Promise<void> {
    this.timer = setInterval(() => void this.look(), HEARTBEAT_MS);
    await this.look();
  }

  stop(): void {
    clearInterval(this.timer);
  }

  /** Lane → jobs that waited there when it was looked at. A node that has come since serves it already. */
  get waitingJobs(): ReadonlyMap<string, number> {
    const { registry } = this.options;
    return new Map([...this.waiting].filter(([lane]) => !registry.servesLane(lane)));
  }

  /** Never fails: what cannot be read stays as it was. */
  private async look(): Promise<void> {
    const { redis, keys, breaker, registry, logger } = this.options;
    try {
      const known = await breaker.run(() => redis.smembers(keys.lanes));
      const unserved = known.filter((lane) => LANE_PATTERN.test(lane) && !registry.servesLane(lane)).slice(0, MOST_LANES);
      const counts = await Promise.all(unserved.map((lane) => breaker.run(() => this.countWaiting(lane))));
      this.waiting = new Map(unserved.flatMap((lane, index) => (counts[index] ? [[lane, counts[index]]] : [])));
    } catch (error) {
      logger.debug({ err: error }, 'lanes without a worker node could not be looked for');
    }
  }

  /** Those with a priority wait in a list of their own. */
  private async countWaiting(lane: string): Promise<number> {
    const { redis, keys } = this.options;
    const queue = `${keys.queuePrefix(lane)}:${keys.queueName}`;
    const [plain, prioritized] = await Promise.all([redis.llen(`${queue}:wait`), redis.zcard(`${queue}:prioritized`)]);
    return plain + prioritized;
  }
}
