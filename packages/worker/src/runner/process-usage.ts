import { closeSync, openSync, readdirSync, readFileSync, readSync } from 'node:fs';
import { atOnce, type Steps } from '@python3-cluster/shared';

/** What a tree of processes uses at this moment, from /proc (proc(5)). */
export interface TreeUsage {
  /** User and system time of the living processes and of those they waited for. */
  readonly cpuMs: number;
  /** Upper bound of the memory: resident pages of all processes, shared ones counted once per process. */
  readonly residentBytes: number;
  readonly pids: readonly number[];
}

/** Kernel ticks per second in /proc/<pid>/stat; 100 on every Linux that Node runs on (USER_HZ). */
const TICKS_PER_SECOND = 100;
const PAGE_BYTES = 4_096;
/** A bomb of processes must not take the worker node's loop with it. */
const MAX_TREE = 512;

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
  const queue = [rootPid];
  while (queue.length > 0 && pids.length < MAX_TREE) {
    const pid = queue.pop() as number;
    const stat = readStat(pid);
    if (stat === undefined) continue;
    if (pids.push(pid) % TURN_PROCESSES === 0) yield;
    cpuMs += stat.cpuMs;
    residentBytes += stat.residentBytes;
    queue.push(...readChildren(pid));
  }
  return { cpuMs, residentBytes, pids };
}

/** Of one process alone; 0 when it is gone. */
export const readResidentBytes = (pid: number): number => readStat(pid)?.residentBytes ?? 0;
/**
 * Of a process that may not be looked into, because it is another user's: all that is not from a file, but for what its
 * template has in memory. Too much where processes of a job share pages among themselves.
 */
function estimateKilobytes(pid: number, rootPid: number): number {
  const templatePid = Number(/^PPid:\t(\d+)$/m.exec(readText(`/proc/${rootPid}/status`) ?? '')?.[1] ?? 0);
  const shared = readStatusKilobytes(templatePid, 'RssAnon');
  return Math.max(0, readStatusKilobytes(pid, 'RssAnon') - shared) + readStatusKilobytes(pid, 'RssShmem');
}

function readStatusKilobytes(pid: number, name: 'RssAnon' | 'RssShmem'): number {
  return Number(new RegExp(`^${name}:\\s+(\\d+) kB$`, 'm').exec(readText(`/proc/${pid}/status`) ?? '')?.[1] ?? 0);
}

/** Exact and slow: private and shared-memory pages, so that what children share with their template counts for none. */
export const readPrivateBytes = (pids: readonly number[]): number => atOnce(readingPrivateBytes(pids));

/** The same in steps, for large trees. */
export function* readingPrivateBytes(pids: readonly number[]): Steps<number> {
  let kilobytes = 0;
  for (const [index, pid] of pids.entries()) {
    if (index > 0 && index % TURN_CLOSE_LOOKS === 0) yield;
    const text = readText(`/proc/${pid}/smaps_rollup`);
    if (text === undefined) {
      kilobytes += estimateKilobytes(pid, pids[0] as number);
      continue;
    }
    for (const name of ['Private_Clean', 'Private_Dirty', 'Pss_Shmem', 'Private_Hugetlb']) {
      kilobytes += Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(text)?.[1] ?? 0);
    }
  }
  return kilobytes * 1_024;
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
function readChildren(pid: number): number[] {
  return listThreads(pid)
    .map((thread) => readText(`/proc/${pid}/task/${thread}/children`) ?? '')
    .flatMap((text) => text.split(' ').filter(Boolean).map(Number));
}

function listThreads(pid: number): string[] {
  try {
    return readdirSync(`/proc/${pid}/task`);
  } catch {
    return [];
  }
}

const line = Buffer.alloc(4_096);

/** Files of one short line, with three system calls instead of five. */
export function readLine(path: string): string | undefined {
  let descriptor: number | undefined;
  try {
    descriptor = openSync(path, 'r');
    return line.toString('latin1', 0, readSync(descriptor, line, 0, line.length, null));
  } catch {
    return undefined;
  } finally {
    if (descriptor !== undefined) closeSync(descriptor);
  }
}

function readText(path: string): string | undefined {
  try {
    return readFileSync(path, 'latin1');
  } catch {
    return undefined;
  }
}
