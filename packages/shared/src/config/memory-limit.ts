import { readFileSync } from 'node:fs';
import { freemem, totalmem } from 'node:os';
import { dirname, join } from 'node:path';

export interface MemoryFigures {
  readonly usedBytes: number;
  /** The least of the host's memory and the limits of the control groups this process is in. */
  readonly totalBytes: number;
}

/** Where the system says it; others for tests. */
export interface MemorySources {
  readonly cgroupFile: string;
  readonly cgroupMount: string;
  readonly hostTotalBytes: number;
  readonly hostFreeBytes: () => number;
}

const SYSTEM: MemorySources = { cgroupFile: '/proc/self/cgroup', cgroupMount: '/sys/fs/cgroup', hostTotalBytes: totalmem(), hostFreeBytes };

/**
 * How much memory this process and what it starts may use, and how much of it is in use. A unit's `MemoryMax=` and a container's
 * limit are bounds of a control group of version 2, of this process's own or of one above it.
 */
export function readMemory(sources: MemorySources = SYSTEM): MemoryFigures {
  let least: MemoryFigures = { usedBytes: sources.hostTotalBytes - sources.hostFreeBytes(), totalBytes: sources.hostTotalBytes };
  for (const folder of groupsOf(sources)) {
    const totalBytes = readBytes(folder, 'memory.max');
    if (totalBytes !== undefined && totalBytes < least.totalBytes) least = { usedBytes: readBytes(folder, 'memory.current') ?? 0, totalBytes };
  }
  return least;
} // prettier-ignore

/** This process's group and those above it, as far as it sees them. */
function groupsOf({ cgroupFile, cgroupMount }: MemorySources): string[] {
  const path = /^0::(\/.*)$/m.exec(read(cgroupFile))?.[1];
  if (path === undefined) return [];
  const folders: string[] = [];
  for (let at = join('/', path); ; at = dirname(at)) {
    folders.push(join(cgroupMount, at));
    if (at === '/') return folders;
  }
}

/** undefined: not there, or without a bound (`max`). */
function readBytes(folder: string, name: string): number | undefined {
  const text = read(join(folder, name)).trim();
  return /^\d+$/.test(text) ? Number(text) : undefined;
}

function read(path: string): string {
  try {
    return readFileSync(path, 'latin1');
  } catch {
    return '';
  }
}

/** What could be had, caches included. */
function hostFreeBytes(): number {
  const kibibytes = /^MemAvailable:\s+(\d+) kB$/m.exec(read('/proc/meminfo'))?.[1];
  return kibibytes === undefined ? freemem() : Number(kibibytes) * 1_024;
}
