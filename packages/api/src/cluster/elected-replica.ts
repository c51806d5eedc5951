import { randomUUID } from 'node:crypto';
import { ELECTION_LEASE_MS, ELECTION_MS, Lease, within, type Logger, type RedisKeys } from '@python3-cluster/shared';
import type { Redis } from 'ioredis';

export interface ElectedReplicaOptions {
  readonly redis: Redis;
  readonly keys: RedisKeys;
  readonly logger: Logger;
  /** Refuses while the breaker is open. */
  readonly guard?: <T>(command: () => Promise<T>) => Promise<T>;
  /** Shorter ones, for tests. */
  readonly electionMs?: number;
  readonly leaseMs?: number;
}

export interface Term {
  /**
   * What stands under `keys.elected` for as long as this replica is elected, and never again once it was not. A script that
   * writes under the same hash tag begins with `UNLESS_ELECTED` and so cannot write for a replica that was replaced.
   */
  readonly claim: string;
  /** Aborted when the term is over, or the replica stops. */
  readonly signal: AbortSignal;
}

export type TermTask = (term: Term) => Promise<void>;

/** First line of such a script; KEYS[1] is `keys.elected`, ARGV[1] the claim. It answers 0 and writes nothing where another is elected. */
export const UNLESS_ELECTED = `if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end`;

/** A Redis that hangs must not keep the replica from stopping; the lease then runs out. */
const HAND_BACK_MS = 1_000;

interface Tick {
  readonly name: string;
  readonly intervalMs: number;
  readonly run: TermTask;
  dueAt: number;
  isRunning: boolean;
}

/**
 * Of all API replicas, the one that does what somebody must do for the cluster: it holds a lease in Redis.
 *
 *   not elected ──lease is free──▶ elected (a new claim) ──renewed every second──┐
 *        ▲                            │         ▲────────────────────────────────┘
 *        └──lease is another's, or could not be renewed for its length, or stop──┘
 *
 * A replica that was stopped and wakes up may still believe it is elected for the turn it takes to notice; `claim` keeps
 * what it then writes out of Redis.
 */
export class ElectedReplica {
  private readonly options: ElectedReplicaOptions;
  private readonly leaseMs: number;
  private readonly ticks: Tick[] = [];
  private claim = randomUUID();
  private term: AbortController | undefined;
  private heldUntil = -Infinity;
  private timer: NodeJS.Timeout | undefined;
  private expiry: NodeJS.Timeout | undefined;
  private turn: Promise<void> = Promise.resolve();
  private stopped = false;

  constructor(options: ElectedReplicaOptions) {
    this.options = options;
    this.leaseMs = options.leaseMs ?? ELECTION_LEASE_MS;
  }

  get isElected(): boolean {
    return this.term !== undefined && performance.now() < this.heldUntil;
  }

  /**
   * Runs the task while this replica is elected: at once when it becomes so, then every `intervalMs` (a multiple of the
   * second between two looks at the lease, in effect). Never twice at a time; what it throws is logged.
   */
  onTick(name: string, intervalMs: number, run: TermTask): void {
    this.ticks.push({ name, intervalMs, run, dueAt: -Infinity, isRunning: false });
  }

  start(): void {
    const next = (): void => {
      this.turn = this.look().then(() => {
        if (!this.stopped) this.timer = setTimeout(next, this.options.electionMs ?? ELECTION_MS);
      });
    };
    next();
  }

  /** Hands the lease back, so that the next replica need not wait for its end. */
  async stop(): Promise<void> {
    this.stopped = true;
    clearTimeout(this.timer);
    const handBack = async (): Promise<void> => {
      await this.turn;
      if (this.isElected && this.options.redis.status === 'ready') await this.leaseOf(this.claim).release();
    };
    await within(HAND_BACK_MS, handBack(), 'Redis').catch(() => undefined);
    this.end();
  }

  private async look(): Promise<void> {
    const { redis, logger, guard = (command) => command() } = this.options;
    const askedAt = performance.now();
    const { claim } = this;
    try {
      if (redis.status !== 'ready') throw new Error('no connection');
      const isHeld = await guard(() => this.leaseOf(claim).hold());
      // An answer that came after the term had run out: that claim is not used again.
      if (isHeld && claim === this.claim) this.begin(askedAt);
      else this.end();
    } catch (error) {
      logger.debug({ error: String(error) }, 'the election could not be looked at');
    }
    if (!this.stopped) this.runTicks();
  }

  private leaseOf(claim: string): Lease {
    const { redis, keys } = this.options;
    return new Lease(redis, keys.elected, claim, this.leaseMs);
  }

  private begin(askedAt: number): void {
    this.heldUntil = askedAt + this.leaseMs;
    clearTimeout(this.expiry);
    this.expiry = setTimeout(() => this.end(), this.heldUntil - performance.now());
    if (this.term !== undefined) return;
    this.term = new AbortController();
    for (const tick of this.ticks) tick.dueAt = -Infinity;
    this.options.logger.info({ isElected: true }, 'this replica is elected');
  }

  private end(): void {
    clearTimeout(this.expiry);
    if (this.term === undefined) return;
    this.term.abort();
    this.term = undefined;
    this.claim = randomUUID();
    this.options.logger.info({ isElected: false }, 'this replica is no longer elected');
  }

  private runTicks(): void {
    const { term, claim } = this;
    if (term === undefined || !this.isElected) return;
    const now = performance.now();
    for (const tick of this.ticks) {
      if (tick.isRunning || now < tick.dueAt) continue;
      // a little early counts as in time: the looks that bring the ticks drift
      tick.dueAt = now + tick.intervalMs - (this.options.electionMs ?? ELECTION_MS) / 2;
      tick.isRunning = true;
      const run = async (): Promise<void> => tick.run({ claim, signal: term.signal });
      run()
        .catch((error: unknown) =>
          this.options.logger.warn({ task: tick.name, error: String(error) }, 'a task of the elected replica failed'),
        )
        .finally(() => (tick.isRunning = false));
    }
  }
}
