import { ClusterError, type Logger, type PoolStats } from '@python3-cluster/shared';
import type { RunDirectory } from '../runner/stage-runner';
import type { SlotOwners } from '../sandbox/slot-owners';
import { Slot } from './slot';

export interface PoolOptions {
  readonly min: number;
  readonly max: number;
  readonly borrowWaitMs: number;
  /** A slot above `min` unused for this long is given up. */
  readonly idleMs: number;
  readonly directory: RunDirectory;
  /** Where each mode's children run as a user of their own. */
  readonly owners?: SlotOwners | undefined;
  readonly logger: Logger;
}

/**
 * The node's slots: `min` always there, up to `max` while jobs wait, first come first served.
 *
 *   idle ──borrow──▶ in use ──release──▶ idle
 *    │                  └──release, cannot be cleaned──▶ replaced in the background
 *    └──idle too long, above min──▶ closed
 */
export class Pool {
  private readonly options: PoolOptions;
  private readonly idle: IdleSlot[] = [];
  private readonly waiting: Waiter[] = [];
  private inUse = 0;
  private creating = 0;
  private nextIndex = 0;
  private closed = false;

  constructor(options: PoolOptions) {
    this.options = options;
  }

  async start(): Promise<void> {
    await Promise.all(Array.from({ length: this.options.min }, () => this.create()));
  }

  get size(): number {
    return this.idle.length + this.inUse + this.creating;
  }

  get isIdle(): boolean {
    return this.inUse === 0 && this.waiting.length === 0;
  }

  stats(templatesUp: boolean): PoolStats {
    const ready = this.idle.length + this.inUse;
    return { size: this.size, max: this.options.max, inUse: this.inUse, healthy: templatesUp ? ready : 0, waiting: this.waiting.length };
  }

  /** @throws ClusterError POOL_BUSY after the borrow wait */
  borrow(): Promise<Slot> {
    const ready = this.idle.pop();
    if (ready !== undefined) {
      clearTimeout(ready.timer);
      this.inUse += 1;
      return Promise.resolve(ready.slot);
    }
    this.grow();
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

  /** The idle slot of that number for a borrowed one in which nothing ran; undefined where it is not idle. */
  exchange(slot: Slot, index: number): Slot | undefined {
    if (slot.index === index) return slot;
    const at = this.idle.findIndex((entry) => entry.slot.index === index);
    const [found] = at < 0 ? [] : this.idle.splice(at, 1);
    if (found === undefined) return undefined;
    clearTimeout(found.timer);
    this.offer(slot);
    return found.slot;
  }

  /** Call it when every process of the job is dead. */
  release(slot: Slot): void {
    const cleaned = slot.clean();
    // In use until it is clean.
    if (typeof cleaned === 'boolean') this.takeBack(slot, cleaned);
    else void cleaned.then((isClean) => this.takeBack(slot, isClean));
  }

  close(): void {
    this.closed = true;
    for (const { slot, timer } of this.idle.splice(0)) {
      clearTimeout(timer);
      slot.close();
    }
    for (const waiter of this.waiting.splice(0)) {
      clearTimeout(waiter.timer);
      waiter.reject(new ClusterError('POOL_BUSY', 'The worker node is stopping.'));
    }
  }

  private takeBack(slot: Slot, isClean: boolean): void {
    this.inUse -= 1;
    if (this.closed) return slot.close();
    if (isClean) return this.offer(slot);
    this.options.logger.error({ slot: slot.index }, 'scratch folder could not be emptied; the slot is replaced');
    slot.close();
    void this.create();
  }

  private offer(slot: Slot): void {
    const waiter = this.waiting.shift();
    if (waiter) {
      clearTimeout(waiter.timer);
      this.inUse += 1;
      return waiter.resolve(slot);
    }
    const entry: IdleSlot = { slot, timer: setTimeout(() => this.shrink(entry), this.options.idleMs) };
    entry.timer.unref();
    this.idle.push(entry);
  }

  private grow(): void {
    if (this.size < this.options.max && this.creating <= this.waiting.length) void this.create();
  }

  /** The last slot used is the first to be lent again, so those that stay unused are really superfluous. */
  private shrink(entry: IdleSlot): void {
    if (this.size <= this.options.min) {
      entry.timer.refresh();
      return;
    }
    const index = this.idle.indexOf(entry);
    if (index < 0) return;
    this.idle.splice(index, 1);
    entry.slot.close();
  }

  private async create(): Promise<void> {
    this.creating += 1;
    const index = this.nextIndex++;
    try {
      const slot = await Slot.create(this.options.directory, index, this.options.owners);
      this.creating -= 1;
      if (this.closed) return slot.close();
      this.offer(slot);
    } catch (error) {
      this.creating -= 1;
      this.options.logger.error({ slot: index, error: String(error) }, 'a slot could not be made');
      if (this.closed) return;
      setTimeout(() => this.size < this.options.min && void this.create(), RETRY_MS).unref();
    }
  }
}

const RETRY_MS = 1_000;

interface IdleSlot {
  readonly slot: Slot;
  readonly timer: NodeJS.Timeout;
}

interface Waiter {
  readonly resolve: (slot: Slot) => void;
  readonly reject: (error: Error) => void;
  readonly timer: NodeJS.Timeout;
}
