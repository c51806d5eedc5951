import { readLine, readStat } from '../runner/process-usage';
import { readMemoryScratch } from '../runner/scratch-usage';

/** What /proc says about a child that waits for another job. */
export interface ChildInspection {
  /** CPU time of its whole life, of processes it waited for too. */
  readonly cpuMs: number;
  /** Upper bound of its memory: shared pages count too. */
  readonly residentBytes: number;
}

/** A child as it is looked at. */
export interface InspectedChild {
  readonly pid: number;
  readonly workspace: { readonly scratchPath: string; readonly isMounted: boolean };
}

/** What the kernel counts of a file system in memory with nothing in it. */
const EMPTY_SCRATCH_BYTES = 1_024;

/**
 * Its word alone is not believed: user code can write frames. undefined unless it is one process with one thread, and holds no
 * memory as files. It may be lying about all else: what it may reach is its own, and nobody's but its owner's program runs
 * there again.
 */
export function inspectChild({ pid, workspace }: InspectedChild): ChildInspection | undefined {
  const stat = readStat(pid);
  // With one thread, the list of the main thread's children is the list of all.
  if (stat?.threads !== 1 || readLine(`/proc/${pid}/task/${pid}/children`) !== '') return undefined;
  // Where it may not be looked into, its own bound is all there is.
  const isFull = workspace.isMounted && (readMemoryScratch(`/proc/${pid}/root${workspace.scratchPath}`) ?? 0) > EMPTY_SCRATCH_BYTES;
  if (isFull) return undefined;
  return { cpuMs: Math.max(readThreadCpuMs(pid), stat.cpuMs - TICK_ERROR_MS), residentBytes: stat.residentBytes };
}

/** User and system time are each cut to whole ticks of 10 ms; most calls take a fraction of one. */
const TICK_ERROR_MS = 20;

/** To the nanosecond, but of the main thread only; 0 on kernels without the figure. */
function readThreadCpuMs(pid: number): number {
  return Number(readLine(`/proc/${pid}/schedstat`)?.split(' ', 1)[0] ?? 0) / 1e6;
}
