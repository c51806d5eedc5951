import type { Logger, RedisKeys } from '@python3-cluster/shared';
import type { Redis } from 'ioredis';
import type { RedisBreaker } from '../redis/redis-breaker';

const PROBE_MS = 1_000;

/** The probe key must outlive a slow Redis, but not its replica by much. */
const PROBE_KEY_MS = 10_000;

/** A result older than this says nothing: the probe itself hangs. */
const STALE_MS = 3 * PROBE_MS;

export interface RedisHealth {
  readonly reachable: boolean;
  readonly writable: boolean;
}

/** Learns in the background, once a second, whether Redis answers and takes writes; whoever asks gets the last result. */
export class RedisProbe {
  private readonly redis: Redis;
  private readonly key: string;
  private readonly logger: Logger;
  private readonly breaker: RedisBreaker;
  private writtenAt = -Infinity;
  private answeredAt = -Infinity;
  private isProbing = false;
  private timer: NodeJS.Timeout | undefined;

  constructor(redis: Redis, keys: RedisKeys, replicaId: string, logger: Logger, breaker: RedisBreaker) {
    this.redis = redis;
    this.key = keys.writeProbe(replicaId);
    this.logger = logger;
    this.breaker = breaker;
  }

  async start(): Promise<void> {
    this.timer = setInterval(() => void this.probe(), PROBE_MS);
    this.redis.on('ready', () => void this.probe());
    await this.probe();
  }

  stop(): void {
    clearInterval(this.timer);
  }

  health(): RedisHealth {
    const now = performance.now();
    const isReady = this.redis.status === 'ready';
    return { reachable: isReady && now - this.answeredAt <= STALE_MS, writable: isReady && now - this.writtenAt <= STALE_MS };
  }

  /** Tries now, if it may: this is also what closes an open breaker. */
  async probe(): Promise<void> {
    if (this.isProbing || this.redis.status !== 'ready' || this.breaker.state === 'open') return;
    this.isProbing = true;
    try {
      await this.breaker.probe(() => this.redis.set(this.key, '1', 'PX', PROBE_KEY_MS));
      this.answeredAt = this.writtenAt = performance.now();
    } catch (error) {
      // an error reply (read-only, out of memory) is an answer, but not a write
      if ((error as Error).name === 'ReplyError') this.answeredAt = performance.now();
      this.writtenAt = -Infinity;
      this.logger.debug({ err: error }, 'the write test failed');
    } finally {
      this.isProbing = false;
    }
  }
}
