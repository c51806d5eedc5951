import type { Redis } from 'ioredis';
import type { Logger } from '../logging/create-logger';
import { isCluster } from './connect-redis';
import type { RedisKeys } from '../redis-layout/redis-keys';

/** What must stand in a record for the write in question to have happened on the server that is asked. */
export interface Written {
  readonly record: string;
  readonly field: string;
  readonly value: string;
}

export interface ReplicaConfirmationOptions {
  /** A fail-fast connection of its own: WAIT blocks what comes behind it. */
  readonly redis: Redis;
  readonly keys: RedisKeys;
  readonly logger: Logger;
  readonly waitMs?: number;
}

/** How long a replica may take; it mostly takes one round trip. Shorter than a command may take on the connection. */
const WAIT_MS = 1_000;
const PROBE_MS = 500;
const MARK_MS = 60_000;

interface Pending extends Written {
  readonly lane: string;
  readonly resolve: (isConfirmed: boolean) => void;
}

/**
 * Says whether a replica has what was written, for `PYTHON3_DURABILITY=replica`.
 *
 *   other connection   ── writes ──▶ primary ──▶ replica
 *   this connection    ── is it there? a mark, WAIT 1 ──▶ same primary: the replica has all that came before the mark
 *
 * One WAIT at a time; whoever comes meanwhile shares the next, so a slow replica costs each caller two waits at most and
 * nobody else anything. After a failover this connection may lead to a server that never had the write: hence "is it
 * there?". In a Cluster each lane's node is asked for itself.
 *
 *   available ──WAIT in vain──▶ unavailable: callers refuse without asking ──a probe every 0.5 s works──▶ available
 */
export class ReplicaConfirmation {
  private readonly options: ReplicaConfirmationOptions;
  private readonly pending = new Map<string, Pending[]>();
  private readonly unavailable = new Set<string>();
  private readonly timers = new Set<NodeJS.Timeout>();
  private isStopped = false;

  constructor(options: ReplicaConfirmationOptions) {
    this.options = options;
  }

  stop(): void {
    this.isStopped = true;
    for (const timer of this.timers) clearTimeout(timer);
  }

  /** Whether the last answer for the lane's server was a replica's. */
  isAvailable(lane: string): boolean {
    return !this.unavailable.has(this.groupOf(lane));
  }

  /** Whether that holds for all that were asked. */
  get isFullyAvailable(): boolean {
    return this.unavailable.size === 0;
  }

  /** Whether a replica has the write. Never rejects; false says that nobody knows. */
  async confirm(lane: string, written: Written): Promise<boolean> {
    const group = this.groupOf(lane);
    return new Promise((resolve) => {
      const waiting = this.pending.get(group);
      const item = { ...written, lane, resolve };
      if (waiting !== undefined) return void waiting.push(item);
      this.pending.set(group, [item]);
      // What else this turn of the event loop wants to have confirmed comes along.
      setImmediate(() => void this.run(group, lane));
    });
  }

  private groupOf(lane: string): string {
    return isCluster(this.options.redis) ? lane : '';
  }

  private async run(group: string, lane: string): Promise<void> {
    for (let batch = this.pending.get(group) ?? []; batch.length > 0; batch = this.pending.get(group) ?? []) {
      this.pending.set(group, []);
      const found = await this.ask(group, lane, batch);
      for (const [index, { value, resolve }] of batch.entries()) resolve(found?.[index] === value);
    }
    this.pending.delete(group);
  }

  /** The fields as they stand on a server whose replica has them, too; undefined without one. */
  private async ask(group: string, lane: string, batch: readonly Written[]): Promise<readonly unknown[] | undefined> {
    const { redis, keys, waitMs = WAIT_MS } = this.options;
    const pipeline = redis.pipeline();
    for (const { record, field } of batch) pipeline.hget(record, field);
    pipeline.set(keys.replicaMark(lane), '1', 'PX', MARK_MS).wait(1, waitMs);
    const answers = redis.status === 'ready' ? await pipeline.exec().catch(() => null) : null;
    const replicas = answers?.at(-1)?.[1];
    const isConfirmed = typeof replicas === 'number' && replicas >= 1;
    this.note(group, lane, isConfirmed);
    return isConfirmed ? answers?.map(([, value]) => value) : undefined;
  }

  private note(group: string, lane: string, isConfirmed: boolean): void {
    const { logger } = this.options;
    if (isConfirmed === !this.unavailable.has(group)) return;
    if (isConfirmed) {
      this.unavailable.delete(group);
      logger.info({ lane }, 'a replica of Redis confirms writes again');
    } else {
      this.unavailable.add(group);
      logger.error(
        { lane, errorCode: 'DURABILITY_UNAVAILABLE' },
        'no replica of Redis confirms writes: no job is accepted or started until one does',
      );
      this.probeSoon(group, lane);
    }
  }

  /** Nothing is asked about: the answer of the WAIT alone counts. */
  private probeSoon(group: string, lane: string): void {
    if (this.isStopped) return;
    const timer = setTimeout(() => {
      this.timers.delete(timer);
      void this.ask(group, lane, []).then(() => {
        if (this.unavailable.has(group)) this.probeSoon(group, lane);
      });
    }, PROBE_MS);
    timer.unref();
    this.timers.add(timer);
  }
}
