import { EventEmitter } from 'node:events';
import { ClusterError } from '@python3-cluster/shared';
import CircuitBreaker from 'opossum';
import { isTransportFailure } from './redis-failures';

/**
 * Whether commands are sent to Redis at all.
 *
 *   closed ──over half of the commands of 5 s failed──▶ open ──1 to 2 s──▶ half-open
 *     ▲                                                  ▲                    │
 *     └──────────────────the write test worked───────────┼────────────────────┤
 *                                                        └───it failed────────┘
 */
export type BreakerState = 'closed' | 'open' | 'half-open';

export interface RedisBreakerEvents {
  /** Too much failed: from now on callers are refused without a command to Redis. */
  open: [];
  /** The pause is over: whoever tests Redis may do so now, once, by `probe`. Callers are still refused. */
  halfOpen: [];
  /** Redis works again. What was read from it is old and should be read anew. */
  close: [];
}

export interface RedisBreakerOptions {
  /** Share of failures, in percent, above which it opens. */
  readonly errorThresholdPercentage: number;
  /** Commands within the window below which it never opens: one failure is no outage. */
  readonly volumeThreshold: number;
  readonly windowMs: number;
  /** Shortest and longest pause. Replicas that lost Redis together must not test it together. */
  readonly pauseMs: readonly [number, number];
}

const DEFAULTS: RedisBreakerOptions = { errorThresholdPercentage: 50, volumeThreshold: 3, windowMs: 5_000, pauseMs: [1_000, 2_000] };

type Action = () => Promise<unknown>;

/**
 * opossum around the API's commands to Redis. Only failures of the transport count (`isTransportFailure`): what a caller
 * did wrong, or a single key of the wrong type, says nothing about Redis. opossum's own timeout is off, as it would not
 * stop the command; the connection's is what ends one.
 */
export class RedisBreaker extends EventEmitter<RedisBreakerEvents> {
  private readonly circuit: CircuitBreaker<[Action]>;
  private pauseEndsAt = 0;

  constructor(options: Partial<RedisBreakerOptions> = {}) {
    super();
    const { errorThresholdPercentage, volumeThreshold, windowMs, pauseMs } = { ...DEFAULTS, ...options };
    const [shortest, longest] = pauseMs;
    // opossum keeps this very object, and reads the pause from it each time it opens
    const settings = {
      timeout: false as const,
      errorThresholdPercentage,
      volumeThreshold,
      rollingCountTimeout: windowMs,
      rollingCountBuckets: 10,
      rollingPercentilesEnabled: false,
      enableSnapshots: false,
      resetTimeout: shortest,
      errorFilter: (error: unknown) => !isTransportFailure(error),
    };
    this.circuit = new CircuitBreaker<[Action]>((action) => action(), settings);
    this.circuit.prependListener('open', () => {
      settings.resetTimeout = Math.round(shortest + Math.random() * (longest - shortest));
      this.pauseEndsAt = performance.now() + settings.resetTimeout;
    });
    this.circuit.on('open', () => this.emit('open'));
    this.circuit.on('halfOpen', () => this.emit('halfOpen'));
    this.circuit.on('close', () => this.emit('close'));
  }

  get state(): BreakerState {
    if (this.circuit.closed) return 'closed';
    return this.circuit.halfOpen ? 'half-open' : 'open';
  }

  /** @throws ClusterError QUEUE_UNAVAILABLE unless closed */
  assertClosed(): void {
    if (this.state !== 'closed') throw this.refusal();
  }

  /** Sends commands for a caller. @throws ClusterError QUEUE_UNAVAILABLE unless closed, and what the action throws */
  async run<T>(action: () => Promise<T>): Promise<T> {
    this.assertClosed();
    return this.fire(action);
  }

  /** Tests Redis; also what closes it again. @throws ClusterError QUEUE_UNAVAILABLE while open, and what the action throws */
  async probe<T>(action: () => Promise<T>): Promise<T> {
    return this.fire(action);
  }

  /** Leaves no timer behind; whatever is asked of it from now on is refused. */
  stop(): void {
    this.circuit.shutdown();
    this.removeAllListeners();
  }

  private async fire<T>(action: () => Promise<T>): Promise<T> {
    try {
      return (await this.circuit.fire(action)) as T;
    } catch (error) {
      throw CircuitBreaker.isOurError(error as Error) ? this.refusal(error) : error;
    }
  }

  private refusal(cause?: unknown): ClusterError {
    const retryAfterSeconds = Math.max(1, Math.ceil((this.pauseEndsAt - performance.now()) / 1_000));
    return new ClusterError('QUEUE_UNAVAILABLE', 'Redis has been failing and is given a pause; nothing was accepted.', {
      cause,
      retryAfterSeconds,
    });
  }
}
