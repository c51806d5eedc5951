import { afterEach, describe, expect, it } from '@jest/globals';
import { waitFor } from '../../../../test/support/wait-for';
import { Pool, type PoolOptions, type Slot } from './pool';

let pool: Pool;
afterEach(() => pool.close());

function startPool(options: Partial<PoolOptions> = {}): void {
  pool = new Pool({ min: 3, max: 5, borrowWaitMs: 10_000, idleMs: 60_000, ...options });
}
const borrowMany = (count: number): Promise<Slot[]> => Promise.all(Array.from({ length: count }, () => pool.borrow()));
/** Pending, or how it ended. */
const watch = <T>(promise: Promise<T>): { state: () => string } => {
  let state = 'pending';
  promise.then(
    () => (state = 'resolved'),
    () => (state = 'rejected'),
  );
  return { state: () => state };
};
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe('the size of a pool', () => {
  it('is its least at the start', () => {
    startPool();
    expect(pool.stats(true)).toEqual({ size: 3, max: 5, inUse: 0, healthy: 3, waiting: 0 });
    expect(pool.isIdle).toBe(true);
  });

  it('does not grow while slots are free', async () => {
    startPool();
    for (let round = 0; round < 20; round += 1) {
      const slots = await borrowMany(3);
      slots.forEach((slot) => pool.release(slot));
    }
    expect(pool.stats(true)).toMatchObject({ size: 3, inUse: 0 });
  });

  it('grows on demand up to its most, and no further', async () => {
    startPool();
    const slots = await borrowMany(5);
    expect(new Set(slots.map(({ index }) => index)).size).toBe(5);
    expect(pool.stats(true)).toMatchObject({ size: 5, inUse: 5, healthy: 5 });
    const sixth = pool.borrow();
    const watched = watch(sixth);
    await turn();
    expect(watched.state()).toBe('pending');
    expect(pool.stats(true)).toMatchObject({ size: 5, waiting: 1 });
    pool.release(slots[0] as Slot);
    expect(await sixth).toBe(slots[0]);
  });

  it('grows by what is asked for, not by more', async () => {
    startPool({ max: 20 });
    await borrowMany(4);
    await turn();
    expect(pool.size).toBe(4);
    await borrowMany(3);
    expect(pool.size).toBe(7);
  });

  it('shrinks to its least after idling, and not below', async () => {
    startPool({ idleMs: 60 });
    const slots = await borrowMany(5);
    slots.forEach((slot) => pool.release(slot));
    expect(pool.size).toBe(5);
    await waitFor('the pool to shrink', () => pool.size === 3);
    // Another round of idling changes nothing, and what is left can be lent.
    await new Promise((resolve) => setTimeout(resolve, 150));
    expect(pool.stats(true)).toEqual({ size: 3, max: 5, inUse: 0, healthy: 3, waiting: 0 });
    expect(await borrowMany(3)).toHaveLength(3);
  });

  it('does not shrink under what is in use', async () => {
    startPool({ idleMs: 30 });
    const slots = await borrowMany(5);
    pool.release(slots[0] as Slot);
    pool.release(slots[1] as Slot);
    await waitFor('the free ones to be given up', () => pool.size === 3);
    expect(pool.stats(true)).toMatchObject({ inUse: 3 });
    for (const slot of slots.slice(2)) pool.release(slot);
    expect(pool.stats(true)).toMatchObject({ size: 3, inUse: 0 });
  });
});

describe('who waits', () => {
  it('is served first come, first served', async () => {
    startPool({ min: 3, max: 3 });
    const slots = await borrowMany(3);
    const order: number[] = [];
    const waiting = Array.from({ length: 6 }, (_, index) => pool.borrow().then((slot) => (order.push(index), slot)));
    expect(pool.stats(true).waiting).toBe(6);
    for (const slot of slots) pool.release(slot);
    for (const next of await Promise.all(waiting.slice(0, 3))) pool.release(next);
    await Promise.all(waiting);
    expect(order).toEqual([0, 1, 2, 3, 4, 5]);
    expect(pool.stats(true)).toMatchObject({ waiting: 0, inUse: 3 });
  });

  it('too long is told POOL_BUSY, and leaves the line', async () => {
    startPool({ min: 3, max: 3, borrowWaitMs: 50 });
    const slots = await borrowMany(3);
    const startedAt = performance.now();
    await expect(pool.borrow()).rejects.toMatchObject({ code: 'POOL_BUSY', message: expect.stringContaining('0.05 seconds') });
    expect(performance.now() - startedAt).toBeGreaterThan(45);
    expect(pool.stats(true)).toMatchObject({ waiting: 0, inUse: 3 });
    pool.release(slots[0] as Slot);
    expect(pool.stats(true)).toMatchObject({ inUse: 2 });
    expect(await pool.borrow()).toBe(slots[0]);
  });

  it('is not overtaken when one before it gives up', async () => {
    startPool({ min: 3, max: 3, borrowWaitMs: 80 });
    const [first] = await borrowMany(3);
    const givesUp = expect(pool.borrow()).rejects.toMatchObject({ code: 'POOL_BUSY' });
    await new Promise((resolve) => setTimeout(resolve, 40));
    const stays = pool.borrow();
    await givesUp;
    pool.release(first as Slot);
    expect(await stays).toBe(first);
  });
});

describe('statistics', () => {
  it('count nothing healthy while a template is down', async () => {
    startPool();
    await pool.borrow();
    expect(pool.stats(false)).toEqual({ size: 3, max: 5, inUse: 1, healthy: 0, waiting: 0 });
    expect(pool.isIdle).toBe(false);
  });

  it('add up through a thousand random borrows and releases', async () => {
    startPool({ max: 20 });
    const held: Slot[] = [];
    for (let round = 0; round < 1_000; round += 1) {
      if (held.length < 20 && (round * 7) % 11 < 6) held.push(await pool.borrow());
      else if (held.length > 0) pool.release(held.splice((round * 13) % held.length, 1)[0] as Slot);
      const { size, inUse, waiting } = pool.stats(true);
      expect([inUse, waiting]).toEqual([held.length, 0]);
      expect(size).toBeGreaterThanOrEqual(Math.max(3, held.length));
      expect(size).toBeLessThanOrEqual(20);
      expect(new Set(held).size).toBe(held.length);
    }
    held.forEach((slot) => pool.release(slot));
  });
});

describe('a closed pool', () => {
  it('sends away who waits, and takes back what is released later', async () => {
    startPool({ min: 3, max: 3 });
    const slots = await borrowMany(3);
    const waiting = expect(pool.borrow()).rejects.toMatchObject({ code: 'POOL_BUSY', message: expect.stringContaining('stopping') });
    pool.close();
    await waiting;
    expect(pool.stats(true)).toMatchObject({ inUse: 3, waiting: 0 });
    for (const slot of slots) pool.release(slot);
    expect(pool.stats(true)).toMatchObject({ size: 0, inUse: 0 });
  });
});
