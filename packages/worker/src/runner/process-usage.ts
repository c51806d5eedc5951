import { atOnce, type Steps } from '@python3-cluster/shared';
import { isAlive, listFolder, readable, readLine, readWhole, UNREADABLE } from './process-files';
import { readLiving, readMemoryShare, readNumber, TOO_MUCH, type MemoryShare } from './process-memory';

export { readLine };

/** What a tree of processes uses at this moment, from /proc (proc(5)). */
export interface TreeUsage {
  /** User and system time of the living processes and of those they waited for. */
  readonly cpuMs: number;
  /** Upper bound of the memory: resident pages of all processes, shared ones counted once per process; page tables, stacks. */
  readonly residentBytes: number;
  /** Of these, files in memory and shared memory; and the most that one process has of them. */
  readonly shmemBytes: number;
  readonly largestShmemBytes: number;
  readonly pids: readonly number[];
}

/** Kernel ticks per second in /proc/<pid>/stat; 100 on every Linux that Node runs on (USER_HZ). */
const TICKS_PER_SECOND = 100;
const PAGE_BYTES = 4_096;
/** A bomb of processes must not take the worker node's loop with it: more than that are too many, whatever they hold. */
const MAX_TREE = 4_096;

/** Processes between two pauses: a few milliseconds, as a process takes 0.1 ms, and 0.4 ms where it is looked at closely. */
const TURN_PROCESSES = 32;
const TURN_CLOSE_LOOKS = 8;

/** The process and all below it. A process that ends meanwhile counts nothing. */
export const readTreeUsage = (rootPid: number): TreeUsage => atOnce(readingTreeUsage(rootPid));

/** The same in steps, for large trees. */
export function* readingTreeUsage(rootPid: number): Steps<TreeUsage> {
  const pids: number[] = [];
  let cpuMs = 0;
  let residentBytes = 0;
  let shmemBytes = 0;
  let largestShmemBytes = 0;
  const queue = [rootPid];
  while (queue.length > 0) {
    if (pids.length >= MAX_TREE) return { cpuMs, residentBytes: TOO_MUCH, shmemBytes, largestShmemBytes, pids };
    const pid = queue.pop() as number;
    const stat = readStat(pid);
    if (stat === undefined && !isAlive(pid)) continue;
    if (pids.push(pid) % TURN_PROCESSES === 0) yield;
    const memory = readMost(pid);
    cpuMs += stat?.cpuMs ?? 0;
    residentBytes += stat === undefined ? TOO_MUCH : memory.bytes;
    shmemBytes += memory.shmemBytes;
    largestShmemBytes = Math.max(largestShmemBytes, memory.shmemBytes);
    const children = readChildren(pid);
    if (children === UNREADABLE) residentBytes = TOO_MUCH;
    else queue.push(...children);
  }
  return { cpuMs, residentBytes, shmemBytes, largestShmemBytes, pids };
}

function readMost(pid: number): MemoryShare {
  const living = readLiving(pid);
  if (living === UNREADABLE) return { bytes: TOO_MUCH, shmemBytes: 0 };
  return { bytes: living?.mostBytes ?? 0, shmemBytes: living?.shmemBytes ?? 0 };
}

/** Of one process alone; 0 when it is gone. */
export const readResidentBytes = (pid: number): number => readStat(pid)?.residentBytes ?? 0;

/**
 * Exact and slow: of pages that several processes have, each its part; page tables and stacks; what the kernel keeps for
 * descriptors and mappings. What children share with their template counts for little.
 */
export function* readingTreeMemory(pids: readonly number[]): Steps<MemoryShare> {
  const total = { bytes: 0, shmemBytes: 0 };
  for (const [index, pid] of pids.entries()) {
    if (index > 0 && index % TURN_CLOSE_LOOKS === 0) yield;
    const living = readLiving(pid);
    const share = living === UNREADABLE ? { bytes: TOO_MUCH, shmemBytes: 0 } : living && readMemoryShare(living, pids[0] as number);
    total.bytes += share?.bytes ?? 0;
    total.shmemBytes += share?.shmemBytes ?? 0;
  }
  return total;
}

export const readTreeMemory = (pids: readonly number[]): MemoryShare => atOnce(readingTreeMemory(pids));

/** Of processes that share pages with nobody but their template: what each has alone. */
export const readPrivateBytes = (pids: readonly number[]): number => pids.reduce((sum, pid) => sum + privateBytesOf(pid), 0);

function privateBytesOf(pid: number): number {
  const living = readLiving(pid);
  if (living === undefined) return 0;
  if (living === UNREADABLE) return TOO_MUCH;
  const rollup = readWhole(`${living.path}/smaps_rollup`);
  if (rollup === UNREADABLE || rollup === undefined) return readMemoryShare(living, pid).bytes;
  const names = ['Private_Clean', 'Private_Dirty', 'Pss_Shmem', 'Private_Hugetlb'];
  return names.reduce((sum, name) => sum + readNumber(rollup, name), 0) * 1_024;
}

export interface ProcessStat {
  /** User and system time of the process, and of those it waited for. */
  readonly cpuMs: number;
  readonly residentBytes: number;
  readonly threads: number;
}

/** One process; undefined where it is gone. */
export function readStat(pid: number): ProcessStat | undefined {
  const text = readLine(`/proc/${pid}/stat`);
  if (text === undefined) return undefined;
  // The second field, the command's name, may hold spaces and parentheses.
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  const field = (number: number): number => Number(fields[number - 3]);
  const ticks = field(14) + field(15) + field(16) + field(17);
  return { cpuMs: (ticks / TICKS_PER_SECOND) * 1_000, residentBytes: field(24) * PAGE_BYTES, threads: field(20) };
}

/** The kernel lists children by the thread that forked them. */
function readChildren(pid: number): number[] | typeof UNREADABLE {
  const threads = listFolder(`/proc/${pid}/task`);
  if (threads === UNREADABLE) return UNREADABLE;
  const lists = (threads ?? []).map((thread) => readWhole(`/proc/${pid}/task/${thread}/children`));
  if (lists.includes(UNREADABLE)) return UNREADABLE;
  return lists.flatMap((text) => (readable(text) ?? '').split(' ').filter(Boolean).map(Number));
}
