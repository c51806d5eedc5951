import type { Redis } from 'ioredis';
import type { Logger } from '../logging/create-logger';
import { connectRedis, type ConnectOptions, type RedisSettings } from './connect-redis';

/** Connections come back one after the other; what fails because of an outage is told this long after it, at most. */
const ECHO_MS = 10_000;

/**
 * Logs one line when Redis is away and one when it is back, however many connections the process has and however often
 * each tries again.
 *
 *   there ──a connection fails──▶ away ──all connections are ready──▶ there
 */
export class RedisOutage {
  private readonly away = new Set<string>();
  private since: number | undefined;
  private endedAt = -Infinity;

  constructor(private readonly logger: Pick<Logger, 'warn' | 'info' | 'debug'>) {}

  /** Whether Redis is away, or was so recently that what fails now may well be an echo of it. */
  get isRecent(): boolean {
    return this.since !== undefined || performance.now() - this.endedAt < ECHO_MS;
  }

  /** A connection whose failures are told together with those of the others. */
  connect(settings: RedisSettings, { name, ...options }: Omit<ConnectOptions, 'onError'>): Redis {
    const redis = connectRedis(settings, { ...options, name, onError: (error) => this.lost(name, error) });
    // Also where Redis is up again before anybody has tried: commands in between were lost. Not where the connection was ended here.
    redis.on('reconnecting', () => this.lost(name, new Error('the connection was lost')));
    redis.on('ready', () => this.back(name));
    return redis;
  }

  private lost(name: string, error: Error): void {
    this.away.add(name);
    const reason = reasonOf(error);
    if (this.since !== undefined) {
      this.logger.debug({ connection: name, error: reason }, 'a connection to Redis failed');
      return;
    }
    this.since = performance.now();
    this.logger.warn({ redis: 'away' }, `cannot reach Redis: ${reason}`);
  }

  private back(name: string): void {
    this.away.delete(name);
    if (this.away.size > 0 || this.since === undefined) return;
    this.endedAt = performance.now();
    const awayMs = Math.round(this.endedAt - this.since);
    this.since = undefined;
    this.logger.info({ redis: 'back', awayMs }, `Redis is back after ${(awayMs / 1_000).toFixed(1)} s`);
  }
}

/** Several addresses that refused are one error without a message of its own. */
function reasonOf(error: Error & { readonly code?: string }): string {
  const [first] = error instanceof AggregateError ? (error.errors as Error[]) : [error];
  return first?.message || error.code || error.name;
}
