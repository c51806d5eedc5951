import { mkdirSync, mkdtempSync, readdirSync, readlinkSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { createLogger } from '@python3-cluster/shared';
import { waitFor } from '../../../../test/support/wait-for';
import { Pool, type PoolOptions } from './pool';
import type { Slot } from './slot';

const logger = createLogger('worker', 'silent');
let path: string;
let pool: Pool;
beforeEach(() => {
  path = mkdtempSync(join(tmpdir(), 'python3-pool-'));
});
afterEach(async () => {
  pool.close();
  // Every pipe of the pool is closed again: those lent were released by the test, or are closed here.
  for (const slot of lent.splice(0)) slot.close();
  await waitFor('the pool’s descriptors to be closed', () => openPipes() === 0);
  rmSync(path, { recursive: true, force: true });
});

const lent: Slot[] = [];
const openPipes = (): number =>
  readdirSync('/proc/self/fd').filter((descriptor) => {
    try {
      return readlinkSync(`/proc/self/fd/${descriptor}`).startsWith(path);
    } catch {
      return false;
    }
  }).length;

async function startPool(options: Partial<PoolOptions> = {}): Promise<Pool> {
  const directory = { path, runnerPath: '', socketPath: '', slotsPath: path, slotPath: (index: number) => join(path, String(index)) };
  pool = new Pool({ min: 3, max: 5, borrowWaitMs: 10_000, idleMs: 60_000, directory, logger, ...options });
  await pool.start();
  return pool;
}
const borrow = async (): Promise<Slot> => {
  const slot = await pool.borrow();
  lent.push(slot);
  return slot;
};
const release = (slot: Slot): void => {
  lent.splice(lent.indexOf(slot), 1);
  pool.release(slot);
};
const borrowMany = (count: number): Promise<Slot[]> => Promise.all(Array.from({ length: count }, borrow));
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
  it('is its least at the start', async () => {
    await startPool();
    expect(pool.stats(true)).toEqual({ size: 3, max: 5, inUse: 0, healthy: 3, waiting: 0 });
    expect(readdirSync(path).sort()).toEqual(['0', '1', '2']);
    expect(openPipes()).toBe(6);
    expect(pool.isIdle).toBe(true);
  });

  it('does not grow while slots are free', async () => {
    await startPool();
    for (let round = 0; round < 20; round += 1) {
      const slots = await borrowMany(3);
      slots.forEach(release);
    }
    expect(pool.stats(true)).toMatchObject({ size: 3, inUse: 0 });
    expect(readdirSync(path)).toHaveLength(3);
  });

  it('grows on demand up to its most, and no further', async () => {
    await startPool();
    const slots = await borrowMany(5);
    expect(new Set(slots.map((slot) => slot.scratchPath)).size).toBe(5);
    expect(pool.stats(true)).toMatchObject({ size: 5, inUse: 5, healthy: 5 });
    const sixth = pool.borrow();
    const watched = watch(sixth);
    await turn();
    expect(watched.state()).toBe('pending');
    expect(pool.stats(true)).toMatchObject({ size: 5, waiting: 1 });
    release(slots[0] as Slot);
    lent.push(await sixth);
    expect(await sixth).toBe(slots[0]);
    expect(readdirSync(path)).toHaveLength(5);
  });

  it('grows by what is asked for, not by more', async () => {
    await startPool({ max: 20 });
    await borrowMany(4);
    await turn();
    expect(pool.size).toBe(4);
    await borrowMany(3);
    expect(pool.size).toBe(7);
  });

  it('shrinks to its least after idling, and not below', async () => {
    await startPool({ idleMs: 60 });
    const slots = await borrowMany(5);
    slots.forEach(release);
    expect(pool.size).toBe(5);
    await waitFor('the pool to shrink', () => pool.size === 3);
    await waitFor('its pipes to be closed', () => openPipes() === 6);
    // Another round of idling changes nothing, and what is left can be lent.
    await new Promise((resolve) => setTimeout(resolve, 150));
    expect(pool.stats(true)).toEqual({ size: 3, max: 5, inUse: 0, healthy: 3, waiting: 0 });
    expect(await borrowMany(3)).toHaveLength(3);
  });

  it('does not shrink under what is in use', async () => {
    await startPool({ idleMs: 30 });
    const slots = await borrowMany(5);
    release(slots[0] as Slot);
    release(slots[1] as Slot);
    await waitFor('the free ones to be given up', () => pool.size === 3);
    expect(pool.stats(true)).toMatchObject({ inUse: 3 });
    for (const slot of slots.slice(2)) expect(await slot.clean()).toBe(true);
  });
});

describe('who waits', () => {
  it('is served first come, first served', async () => {
    await startPool({ min: 3, max: 3 });
    const slots = await borrowMany(3);
    const order: number[] = [];
    const waiting = Array.from({ length: 6 }, (_, index) => borrow().then((slot) => (order.push(index), slot)));
    expect(pool.stats(true).waiting).toBe(6);
    for (const slot of slots) release(slot);
    for (const next of await Promise.all(waiting.slice(0, 3))) release(next);
    await Promise.all(waiting);
    expect(order).toEqual([0, 1, 2, 3, 4, 5]);
    expect(pool.stats(true)).toMatchObject({ waiting: 0, inUse: 3 });
  });

  it('too long is told POOL_BUSY, and leaves the line', async () => {
    await startPool({ min: 3, max: 3, borrowWaitMs: 50 });
    const slots = await borrowMany(3);
    const startedAt = performance.now();
    await expect(pool.borrow()).rejects.toMatchObject({ code: 'POOL_BUSY', message: expect.stringContaining('0.05 seconds') });
    expect(performance.now() - startedAt).toBeGreaterThan(45);
    expect(pool.stats(true)).toMatchObject({ waiting: 0, inUse: 3 });
    release(slots[0] as Slot);
    expect(pool.stats(true)).toMatchObject({ inUse: 2 });
    expect(await borrow()).toBe(slots[0]);
  });

  it('is not overtaken when one before it gives up', async () => {
    await startPool({ min: 3, max: 3, borrowWaitMs: 80 });
    const [first] = await borrowMany(3);
    const givesUp = expect(pool.borrow()).rejects.toMatchObject({ code: 'POOL_BUSY' });
    await new Promise((resolve) => setTimeout(resolve, 40));
    const stays = borrow();
    await givesUp;
    release(first as Slot);
    expect(await stays).toBe(first);
  });
});

describe('a slot that is released', () => {
  it('is clean', async () => {
    await startPool();
    const slot = await borrow();
    writeFileSync(join(slot.scratchPath, 'left'), 'x');
    release(slot);
    expect(readdirSync(slot.scratchPath)).toEqual([]);
  });

  it('is replaced where it cannot be cleaned', async () => {
    await startPool();
    const slot = await borrow();
    rmSync(slot.scratchPath, { recursive: true });
    writeFileSync(slot.scratchPath, 'in its place');
    release(slot);
    expect(pool.stats(true)).toMatchObject({ size: 3, inUse: 0, healthy: 2 });
    await waitFor('another slot', () => pool.stats(true).healthy === 3);
    const slots = await borrowMany(3);
    expect(slots).not.toContain(slot);
    for (const other of slots) expect(await other.clean()).toBe(true);
  });

  it('is replaced for whoever waits for it', async () => {
    await startPool({ min: 3, max: 3 });
    const [slot] = (await borrowMany(3)) as [Slot];
    const waiting = borrow();
    rmSync(slot.scratchPath, { recursive: true });
    release(slot);
    const replacement = await waiting;
    expect(replacement.index).not.toBe(slot.index);
    expect(pool.stats(true)).toMatchObject({ size: 3, inUse: 3 });
  });
});

describe('statistics', () => {
  it('count nothing healthy while a template is down', async () => {
    await startPool();
    await borrow();
    expect(pool.stats(false)).toEqual({ size: 3, max: 5, inUse: 1, healthy: 0, waiting: 0 });
    expect(pool.isIdle).toBe(false);
  });

  it('add up through a thousand random borrows and releases', async () => {
    await startPool({ max: 20 });
    const held: Slot[] = [];
    for (let round = 0; round < 1_000; round += 1) {
      if (held.length < 20 && (round * 7) % 11 < 6) held.push(await borrow());
      else if (held.length > 0) release(held.splice((round * 13) % held.length, 1)[0] as Slot);
      const { size, inUse, waiting } = pool.stats(true);
      expect([inUse, waiting]).toEqual([held.length, 0]);
      expect(size).toBeGreaterThanOrEqual(Math.max(3, held.length));
      expect(size).toBeLessThanOrEqual(20);
      expect(new Set(held).size).toBe(held.length);
    }
    held.forEach(release);
  });
});

it('a slot that cannot be made is tried again', async () => {
  // A file stands where the first slots belong, and something in the way cannot be replaced by a folder.
  const blocked = join(path, 'blocked');
  writeFileSync(blocked, 'x');
  const directory = { path, runnerPath: '', socketPath: '', slotsPath: blocked, slotPath: (index: number) => join(blocked, String(index)) };
  pool = new Pool({ min: 3, max: 5, borrowWaitMs: 10_000, idleMs: 60_000, directory, logger });
  await pool.start();
  expect(pool.stats(true)).toMatchObject({ size: 0, healthy: 0 });
  rmSync(blocked);
  mkdirSync(blocked);
  await waitFor('the slots', () => pool.stats(true).healthy === 3);
});

it('a closed pool lets go of what is released later', async () => {
  await startPool();
  const slot = await borrow();
  pool.close();
  expect(openPipes()).toBeGreaterThan(0);
  release(slot);
  await waitFor('its pipes to be closed', () => openPipes() === 0);
});
