import { readdirSync, readFileSync } from 'node:fs';

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

/** The process and all below it. A process that ends meanwhile counts nothing. */
export function readTreeUsage(rootPid: number): TreeUsage {
  const pids: number[] = [];
  let cpuTicks = 0;
  let residentPages = 0;
  const queue = [rootPid];
  while (queue.length > 0 && pids.length < MAX_TREE) {
    const pid = queue.pop() as number;
    const stat = readStat(pid);
    if (stat === undefined) continue;
    pids.push(pid);
    cpuTicks += stat.cpuTicks;
    residentPages += stat.residentPages;
    queue.push(...readChildren(pid));
  }
  return { cpuMs: (cpuTicks / TICKS_PER_SECOND) * 1_000, residentBytes: residentPages * PAGE_BYTES, pids };
}

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
export function readPrivateBytes(pids: readonly number[]): number {
  let kilobytes = 0;
  for (const pid of pids) {
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

function readStat(pid: number): { cpuTicks: number; residentPages: number } | undefined {
  const text = readText(`/proc/${pid}/stat`);
  if (text === undefined) return undefined;
  // The second field, the command's name, may hold spaces and parentheses.
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  const field = (number: number): number => Number(fields[number - 3]);
  return { cpuTicks: field(14) + field(15) + field(16) + field(17), residentPages: field(24) };
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

function readText(path: string): string | undefined {
  try {
    return readFileSync(path, 'latin1');
  } catch {
    return undefined;
  }
}
