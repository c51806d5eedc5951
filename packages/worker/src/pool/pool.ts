import { ClusterError, type PoolStats } from '@python3-cluster/shared';

export interface PoolOptions {
  readonly min: number;
  readonly max: number;
  readonly borrowWaitMs: number;
  /** A slot above `min` unused for this long is given up. */
  readonly idleMs: number;
}

/** One permit to run a job. What the job may reach is its child's: see `workspaces/workspace.ts`. */
export interface Slot {
  readonly index: number;
}

/**
 * The node's slots: `min` always there, up to `max` while jobs wait, first come first served.
 *
 *   idle ──borrow──▶ in use ──release──▶ idle
 *    └──idle too long, above min──▶ gone
 */
export class Pool {
  private readonly options: PoolOptions;
  private readonly idle: IdleSlot[] = [];
  private readonly waiting: Waiter[] = [];
  private inUse = 0;
  private nextIndex = 0;
  private closed = false;

  constructor(options: PoolOptions) {
    this.options = options;
    while (this.nextIndex < options.min) this.offer(this.make());
  }

  get size(): number {
    return this.idle.length + this.inUse;
  }

  get isIdle(): boolean {
    return this.inUse === 0 && this.waiting.length === 0;
  }

  stats(templatesUp: boolean): PoolStats {
    const { size, inUse } = this;
    return { size, max: this.options.max, inUse, healthy: templatesUp ? size : 0, waiting: this.waiting.length };
  }

  /** @throws ClusterError POOL_BUSY after the borrow wait */
  borrow(): Promise<Slot> {
    const ready = this.idle.pop();
    if (ready !== undefined) {
      clearTimeout(ready.timer);
      return Promise.resolve(this.lend(ready.slot));
    }
    if (this.size < this.options.max && !this.closed) return Promise.resolve(this.lend(this.make()));
    return new Promise((resolve, reject) => {
      const waiter: Waiter = {
        resolve,
        reject,
        timer: setTimeout(() => {
          this.waiting.splice(this.waiting.indexOf(waiter), 1);
          reject(new ClusterError('POOL_BUSY', `No Python executor available within ${this.options.borrowWaitMs / 1_000} seconds.`));
        }, this.options.borrowWaitMs),
      };
      this.waiting.push(waiter);
    });
  }

  /** Call it when every process of the job is dead, or the child that is kept has no job any more. */
  release(slot: Slot): void {
    this.inUse -= 1;
    if (!this.closed) this.offer(slot);
  }

  close(): void {
    this.closed = true;
    for (const { timer } of this.idle.splice(0)) clearTimeout(timer);
    for (const waiter of this.waiting.splice(0)) {
      clearTimeout(waiter.timer);
      waiter.reject(new ClusterError('POOL_BUSY', 'The worker node is stopping.'));
    }
  }

  private make(): Slot {
    return { index: this.nextIndex++ };
  }

  private lend(slot: Slot): Slot {
    this.inUse += 1;
    return slot;
  }

  private offer(slot: Slot): void {
    const waiter = this.waiting.shift();
    if (waiter) {
      clearTimeout(waiter.timer);
      return waiter.resolve(this.lend(slot));
    }
    const entry: IdleSlot = { slot, timer: setTimeout(() => this.shrink(entry), this.options.idleMs) };
    entry.timer.unref();
    this.idle.push(entry);
  }

  /** The last slot used is the first to be lent again, so those that stay unused are really superfluous. */
  private shrink(entry: IdleSlot): void {
    if (this.size <= this.options.min) {
      entry.timer.refresh();
      return;
    }
    const index = this.idle.indexOf(entry);
    if (index >= 0) this.idle.splice(index, 1);
  }
}

interface IdleSlot {
  readonly slot: Slot;
  readonly timer: NodeJS.Timeout;
}

interface Waiter {
  readonly resolve: (slot: Slot) => void;
  readonly reject: (error: Error) => void;
  readonly timer: NodeJS.Timeout;
}
