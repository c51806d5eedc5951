/** Of the node itself, its templates and what Redis sends. */
export const NODE_RESERVE_MB = 512;

export interface PoolHost {
  readonly cores: number;
  readonly memoryBytes: number;
  /** What a job may take that names no limit. */
  readonly maxMemoryMb: number;
}

/** Slots for as many jobs as the processors keep busy, and as the memory has room for at their default limit; not below the least. */
export function defaultPoolMax({ cores, memoryBytes, maxMemoryMb }: PoolHost, least: number, most: number): number {
  const byMemory = Math.floor((memoryBytes / 1_048_576 - NODE_RESERVE_MB) / maxMemoryMb);
  return Math.max(least, Math.min(most, 2 * cores, byMemory));
}
