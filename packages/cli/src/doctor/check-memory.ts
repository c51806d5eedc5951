import { NODE_RESERVE_MB, readMemory, type Config, type MemoryFigures } from '@python3-cluster/shared';
import { ok, warn, type CheckResult } from './check';

const MIB = 1_048_576;

/** Whether all slots could hold a job of the default memory limit at once. */
export function checkMemory({ poolMax, maxMemoryMb }: Config, memory: MemoryFigures = readMemory()): CheckResult {
  const totalMb = Math.floor(memory.totalBytes / MIB);
  const perSlotMb = Math.floor(Math.max(0, totalMb - NODE_RESERVE_MB) / poolMax);
  const text = `${(totalMb / 1_024).toFixed(1)} GiB for ${poolMax} slots: ${perSlotMb} MiB each, after ${NODE_RESERVE_MB} MiB for the node; a job may take ${maxMemoryMb} MiB`;
  if (perSlotMb >= maxMemoryMb) return ok('Memory', text);
  const fitting = Math.floor((totalMb - NODE_RESERVE_MB) / maxMemoryMb);
  const fewer = fitting >= 3 ? `set PYTHON3_POOL_MAX=${fitting}, or ` : '';
  return warn('Memory', text, `${fewer}lower PYTHON3_MAX_MEMORY_MB, or give the host or unit more memory`);
}
