import { readdirSync, readFileSync, statSync } from 'node:fs';
import { readTreeUsage } from '../runner/process-usage';

/** What /proc says about a child that waits for another job. */
export interface ChildInspection {
  /** CPU time of its whole life, of processes it waited for too. */
  readonly cpuMs: number;
  /** Upper bound of its memory: shared pages count too. */
  readonly residentBytes: number;
}

/**
 * Its word alone is not believed: user code can write frames. undefined unless it is one process with one thread and has
 * no way left to the slot's pipes.
 */
export function inspectChild(pid: number): ChildInspection | undefined {
  const { cpuMs, residentBytes, pids } = readTreeUsage(pid);
  if (pids.length !== 1 || countThreads(pid) !== 1 || holdsPipes(pid)) return undefined;
  return { cpuMs: Math.max(readThreadCpuMs(pid), cpuMs - TICK_ERROR_MS), residentBytes };
}

/** User and system time are each cut to whole ticks of 10 ms; most calls take a fraction of one. */
const TICK_ERROR_MS = 20;

/** To the nanosecond, but of the main thread only; 0 on kernels without the figure. */
function readThreadCpuMs(pid: number): number {
  try {
    return Number(readFileSync(`/proc/${pid}/schedstat`, 'latin1').split(' ', 1)[0]) / 1e6;
  } catch {
    return 0;
  }
}

function countThreads(pid: number): number {
  try {
    return readdirSync(`/proc/${pid}/task`).length;
  } catch {
    return 0;
  }
}

/** The slot's are named pipes, and a child that waits has no other either. */
function holdsPipes(pid: number): boolean {
  try {
    return readdirSync(`/proc/${pid}/fd`).some((name) => statSync(`/proc/${pid}/fd/${name}`).isFIFO());
  } catch {
    return true;
  }
}
