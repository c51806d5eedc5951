import type { Pool } from './pool';
import type { Slot } from './slot';

/** A borrowed slot that can be exchanged for another one, as long as nothing runs in it. */
export class Seat {
  private readonly pool: Pool;
  private taken: Slot;

  constructor(pool: Pool, slot: Slot) {
    this.pool = pool;
    this.taken = slot;
  }

  get slot(): Slot {
    return this.taken;
  }

  /** @returns whether it is the slot of that number now: that one has to be idle */
  moveTo(index: number): boolean {
    const other = this.pool.exchange(this.taken, index);
    if (other !== undefined) this.taken = other;
    return other !== undefined;
  }

  release(): void {
    this.pool.release(this.taken);
  }
}
