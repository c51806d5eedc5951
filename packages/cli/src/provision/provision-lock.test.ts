import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { withProvisionLock } from './provision-lock';

describe('withProvisionLock', () => {
  let data: string;

  beforeEach(() => {
    data = mkdtempSync(join(tmpdir(), 'provision-lock-'));
  });

  afterEach(() => rmSync(data, { recursive: true, force: true }));

  it('lets one in at a time and leaves nothing behind', async () => {
    let inside = 0;
    let most = 0;
    const enter = async (): Promise<void> => {
      inside += 1;
      most = Math.max(most, inside);
      await new Promise((resolve) => setImmediate(resolve));
      inside -= 1;
    };
    await Promise.all([1, 2, 3].map(() => withProvisionLock(data, () => undefined, enter)));
    expect(most).toBe(1);
    expect(readdirSync(data)).toEqual([]);
  });

  it('takes over from an owner that is dead, even if its pid is used again', async () => {
    for (const owner of [`${2 ** 22 + 1} 5`, `${process.pid} 5`]) {
      mkdirSync(join(data, 'provision.lock'));
      writeFileSync(join(data, 'provision.lock', 'owner'), owner);
      await expect(
        withProvisionLock(
          data,
          () => undefined,
          () => Promise.resolve('done'),
        ),
      ).resolves.toBe('done');
    }
  });

  it('is free again after a failure', async () => {
    await expect(
      withProvisionLock(
        data,
        () => undefined,
        () => Promise.reject(new Error('no')),
      ),
    ).rejects.toThrow('no');
    expect(readdirSync(data)).toEqual([]);
  });
});
