import type { Redis } from 'ioredis';
import { HOUSEKEEPING_LEASE_MS, HOUSEKEEPING_MS, isWrongType, Lease, within, type Logger, type RedisKeys } from '@python3-cluster/shared';

export interface HousekeeperOptions {
  readonly redis: Redis;
  readonly keys: RedisKeys;
  readonly workerId: string;
  readonly lanes: readonly string[];
  /** What is done at each pass, one after the other, for all lanes of the cluster. Each bounds its own work. */
  readonly chores: readonly Chore[];
  /** Whether this node must keep its hands off: what it cannot verify it would take for forged. */
  readonly isForeign?: () => boolean;
  readonly logger: Logger;
}

export interface Chore {
  readonly name: string;
  readonly run: (lanes: readonly string[]) => Promise<void>;
}

/** A Redis that hangs must not keep the node from stopping; the lease then runs out. */
const HAND_BACK_MS = 1_000;

/** Does what somebody must do for the cluster as a whole: of all worker nodes, the one that holds the lease. */
export class Housekeeper {
  private readonly options: HousekeeperOptions;
  private readonly lease: Lease;
  private timer: NodeJS.Timeout | undefined;
  private isElected = false;
  private stopped = false;
  private pass: Promise<void> = Promise.resolve();

  constructor(options: HousekeeperOptions) {
    this.options = options;
    this.lease = new Lease(options.redis, options.keys.housekeeper, options.workerId, HOUSEKEEPING_LEASE_MS);
  }

  start(): void {
    // At once: what is accepted for a lane must be found, and missed, even if its node lives for a moment only.
    void this.nameLanes().catch(() => undefined);
    this.planPass();
  }

  private planPass(): void {
    this.timer = setTimeout(() => {
      this.pass = this.run();
      void this.pass.then(() => {
        if (!this.stopped) this.planPass();
      });
    }, HOUSEKEEPING_MS);
  }

  /** Hands the lease back, so that the next node need not wait for its end. */
  async stop(): Promise<void> {
    this.stopped = true;
    clearTimeout(this.timer);
    if (this.options.redis.status !== 'ready') return;
    const handBack = async (): Promise<void> => {
      await this.pass;
      if (this.isElected) await this.lease.release();
    };
    await within(HAND_BACK_MS, handBack(), 'Redis').catch(() => undefined);
  }

  private async nameLanes(): Promise<void> {
    const { redis, keys, lanes, logger } = this.options;
    if (redis.status !== 'ready') return;
    await redis.sadd(keys.lanes, ...lanes).catch(async (error: unknown) => {
      if (!isWrongType(error)) throw error;
      // Without the names no chore would come to what else is not ours (`foreign-keys.ts`).
      logger.error({ event: 'security', errorCode: 'RECORD_UNVERIFIED' }, 'something else stood in place of the set of lanes; removed');
      await redis.unlink(keys.lanes);
      await redis.sadd(keys.lanes, ...lanes);
    });
  }

  private async run(): Promise<void> {
    const { redis, keys, chores, isForeign, logger } = this.options;
    if (redis.status !== 'ready') return;
    if (isForeign?.() === true) return this.resign();
    try {
      // At each pass: Redis may have come back empty.
      await this.nameLanes();
      const wasElected = this.isElected;
      this.isElected = await this.lease.hold();
      if (this.isElected !== wasElected) logger.info({ isElected: this.isElected }, 'housekeeping of the cluster');
      if (!this.isElected) return;
      const allLanes = await redis.smembers(keys.lanes);
      for (const chore of chores) await this.runChore(chore, allLanes);
    } catch (error) {
      logger.warn({ error: String(error) }, 'housekeeping not done');
    }
  }

  private async resign(): Promise<void> {
    if (!this.isElected) return;
    this.isElected = false;
    await this.lease.release().catch(() => undefined);
  }

  private async runChore(chore: Chore, lanes: readonly string[]): Promise<void> {
    try {
      await chore.run(lanes);
    } catch (error) {
      this.options.logger.error({ chore: chore.name, error: String(error) }, 'housekeeping failed');
    }
  }
}
