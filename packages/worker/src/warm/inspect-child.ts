import { readdirSync, statSync } from 'node:fs';
import type { OpenDescriptors } from '../runner/inspections';
import { readLine, readStat } from '../runner/process-usage';

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
  /** What it had open before its first job. */
  readonly descriptors: readonly string[] | undefined;
  readDescriptors(): Promise<OpenDescriptors | undefined>;
}

/**
 * Its word alone is not believed: user code can write frames. undefined unless it is one process with one thread, holds
 * the descriptors it had before its first job, by number, and among them no way to the slot's pipes.
 *
 * Between two jobs of a short program this is a tenth of all the node does, hence as few system calls as it takes.
 */
export async function inspectChild(child: InspectedChild): Promise<ChildInspection | undefined> {
  const { pid } = child;
  const stat = readStat(pid);
  // With one thread, the list of the main thread's children is the list of all.
  if (stat?.threads !== 1 || readLine(`/proc/${pid}/task/${pid}/children`) !== '') return undefined;
  if (!holdsOnly(await child.readDescriptors(), child.descriptors)) return undefined;
  return { cpuMs: Math.max(readThreadCpuMs(pid), stat.cpuMs - TICK_ERROR_MS), residentBytes: stat.residentBytes };
}

/** undefined of a process that is gone, or that this one may not look into. */
export function readDescriptors(pid: number): OpenDescriptors | undefined {
  try {
    const descriptors = readdirSync(`/proc/${pid}/fd`);
    // The slot's pipes are named ones, and a child that waits has no other either.
    return { descriptors, pipes: descriptors.some((name) => statSync(`/proc/${pid}/fd/${name}`).isFIFO()) };
  } catch {
    return undefined;
  }
}

/** User and system time are each cut to whole ticks of 10 ms; most calls take a fraction of one. */
const TICK_ERROR_MS = 20;

/** To the nanosecond, but of the main thread only; 0 on kernels without the figure. */
function readThreadCpuMs(pid: number): number {
  return Number(readLine(`/proc/${pid}/schedstat`)?.split(' ', 1)[0] ?? 0) / 1e6;
}

function holdsOnly(now: OpenDescriptors | undefined, before: readonly string[] | undefined): boolean {
  if (now === undefined || before === undefined || now.pipes || now.descriptors.length !== before.length) return false;
  return now.descriptors.every((name, index) => name === before[index]);
}
