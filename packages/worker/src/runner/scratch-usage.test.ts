import { closeSync, mkdirSync, mkdtempSync, openSync, rmSync, symlinkSync, unlinkSync, writeFileSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { readScratchBytes } from './scratch-usage';

const MIB = 1 << 20;
let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'python3-scratch-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const read = (enough = 1_000 * MIB, pids: readonly number[] = []): Promise<number | undefined> => readScratchBytes(folder, pids, enough);

describe('what a scratch folder holds', () => {
  it('is next to nothing while it is empty', async () => {
    expect(await read()).toBeLessThan(MIB);
  });

  it('counts files at any depth', async () => {
    mkdirSync(join(folder, 'a', 'b'), { recursive: true });
    writeFileSync(join(folder, 'one'), Buffer.alloc(2 * MIB, 1));
    writeFileSync(join(folder, 'a', 'b', 'two'), Buffer.alloc(3 * MIB, 1));
    expect(await read()).toBeGreaterThanOrEqual(5 * MIB);
    expect(await read()).toBeLessThan(6 * MIB);
  });

  it('counts what a process has open without a name, once it is told of the process', async () => {
    const file = openSync(join(folder, 'nameless'), 'w');
    writeSync(file, Buffer.alloc(4 * MIB, 1));
    unlinkSync(join(folder, 'nameless'));
    expect(await read()).toBeLessThan(MIB);
    expect(await read(1_000 * MIB, [process.pid])).toBeGreaterThanOrEqual(4 * MIB);
    closeSync(file);
  });

  it('does not count what links point to, and holes in files', async () => {
    symlinkSync('/usr', join(folder, 'link'));
    const file = openSync(join(folder, 'hole'), 'w');
    writeSync(file, 'x', 1_000 * MIB);
    closeSync(file);
    expect(await read()).toBeLessThan(MIB);
  });

  it('is more than enough as soon as it is, however much more follows', async () => {
    for (let index = 0; index < 20; index += 1) writeFileSync(join(folder, String(index)), Buffer.alloc(MIB, 1));
    expect(await read(3 * MIB)).toBeGreaterThan(3 * MIB);
    expect(await read(3 * MIB)).toBeLessThan(10 * MIB);
  });

  it('is not known of a folder that is not there', async () => {
    expect(await readScratchBytes(join(folder, 'missing'), [], MIB)).toBeUndefined();
  });
});
