import { readdirSync, statSync } from 'node:fs';
import { readLine, readStat } from '../runner/process-usage';

/** What /proc says about a child that waits for another job. */
export interface ChildInspection {
  /** CPU time of its whole life, of processes it waited for too. */
  readonly cpuMs: number;
  /** Upper bound of its memory: shared pages count too. */
  readonly residentBytes: number;
}

/**
 * Its word alone is not believed: user code can write frames. undefined unless it is one process with one thread, holds
 * the descriptors it had before its first job, by number, and among them no way to the slot's pipes. `descriptors` are what
 * `listDescriptors` said then.
 *
 * Between two jobs of a short program this is a tenth of all the node does, hence as few system calls as it takes.
 */
export function inspectChild(pid: number, descriptors: readonly string[]): ChildInspection | undefined {
  const stat = readStat(pid);
  // With one thread, the list of the main thread's children is the list of all.
  if (stat?.threads !== 1 || readLine(`/proc/${pid}/task/${pid}/children`) !== '') return undefined;
  if (!holdsOnly(pid, descriptors)) return undefined;
  return { cpuMs: Math.max(readThreadCpuMs(pid), stat.cpuMs - TICK_ERROR_MS), residentBytes: stat.residentBytes };
}

/** Numbers of the open descriptors, as texts; empty for a process that is gone. */
export function listDescriptors(pid: number): readonly string[] {
  try {
    return readdirSync(`/proc/${pid}/fd`);
  } catch {
    return [];
  }
}

/** User and system time are each cut to whole ticks of 10 ms; most calls take a fraction of one. */
const TICK_ERROR_MS = 20;

/** To the nanosecond, but of the main thread only; 0 on kernels without the figure. */
function readThreadCpuMs(pid: number): number {
  return Number(readLine(`/proc/${pid}/schedstat`)?.split(' ', 1)[0] ?? 0) / 1e6;
}

/** The slot's pipes are named ones, and a child that waits has no other either. */
function holdsOnly(pid: number, descriptors: readonly string[]): boolean {
  const now = listDescriptors(pid);
  if (now.length !== descriptors.length || now.some((name, index) => name !== descriptors[index])) return false;
  try {
    return !now.some((name) => statSync(`/proc/${pid}/fd/${name}`).isFIFO());
  } catch {
    return false;
  }
}
