import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { defaultPoolMax } from './default-pool-max';
import { loadConfig } from './load-config';
import { readMemory } from './memory-limit';

const GIB = 2 ** 30;
let folder: string;
beforeEach(() => void (folder = mkdtempSync(join(tmpdir(), 'p3-cgroup-'))));
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** A tree as systemd and container engines make it. */
function given(own: string, groups: Record<string, string>) {
  for (const [path, bytes] of Object.entries(groups)) {
    mkdirSync(join(folder, path), { recursive: true });
    writeFileSync(join(folder, path, 'memory.max'), `${bytes}\n`);
    writeFileSync(join(folder, path, 'memory.current'), '1000\n');
  }
  writeFileSync(join(folder, 'own'), own);
  return { cgroupFile: join(folder, 'own'), cgroupMount: folder, hostTotalBytes: 16 * GIB, hostFreeBytes: () => 4 * GIB };
}

describe('the memory there is', () => {
  it.each<[string, string, Record<string, string>, { usedBytes: number; totalBytes: number }]>([
    ['of a host', '0::/\n', {}, { usedBytes: 12 * GIB, totalBytes: 16 * GIB }],
    ['of a host with control groups of version 1', '4:memory:/user\n', {}, { usedBytes: 12 * GIB, totalBytes: 16 * GIB }],
    ['of a container', '0::/\n', { '/': String(2 * GIB) }, { usedBytes: 1_000, totalBytes: 2 * GIB }],
    ['of a unit', '0::/system.slice/w.service\n', { '/system.slice/w.service': String(4 * GIB), '/system.slice': 'max' }, { usedBytes: 1_000, totalBytes: 4 * GIB }],
    ['of a slice above the unit', '0::/a/b/c\n', { '/a/b/c': 'max', '/a/b': String(8 * GIB), '/a': String(3 * GIB) }, { usedBytes: 1_000, totalBytes: 3 * GIB }],
    ['where the limit is above what the host has', '0::/a\n', { '/a': String(99 * GIB) }, { usedBytes: 12 * GIB, totalBytes: 16 * GIB }],
  ])('%s', (_, own, groups, expected) => expect(readMemory(given(own, groups))).toEqual(expected)); // prettier-ignore

  it('of this very process is something', () => {
    const { usedBytes, totalBytes } = readMemory();
    expect(usedBytes).toBeGreaterThan(0);
    expect(totalBytes).toBeGreaterThan(usedBytes);
  });
});

describe('the size of the pool', () => {
  it.each([
    ['by processors', { cores: 4, memoryBytes: 64 * GIB, maxMemoryMb: 512 }, 8],
    ['at most 20', { cores: 64, memoryBytes: 64 * GIB, maxMemoryMb: 512 }, 20],
    ['by memory, of which the node has its part', { cores: 64, memoryBytes: 4 * GIB, maxMemoryMb: 512 }, 7],
    ['by what a job may take', { cores: 64, memoryBytes: 4 * GIB, maxMemoryMb: 1_024 }, 3],
    ['at least what the pool always keeps', { cores: 64, memoryBytes: GIB / 2, maxMemoryMb: 512 }, 3],
  ])('is %s', (_, host, expected) => expect(defaultPoolMax(host, 3, 20)).toBe(expected));

  it('is derived only where it is not set, and never below PYTHON3_POOL_MIN', () => {
    expect(loadConfig({ PYTHON3_POOL_MAX: '17' }).config.poolMax).toBe(17);
    expect(loadConfig({ PYTHON3_POOL_MIN: '19', PYTHON3_MAX_MEMORY_MB: '65536', PYTHON3_MEMORY_CEILING_MB: '65536' }).config.poolMax).toBe(19);
    expect(loadConfig({ PYTHON3_MAX_MEMORY_MB: '65536', PYTHON3_MEMORY_CEILING_MB: '65536' }).config.poolMax).toBe(3);
  }); // prettier-ignore
});
