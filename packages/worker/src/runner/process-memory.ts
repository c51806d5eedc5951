import { isAlive, listFolder, readBeginning, readWhole, readable, UNREADABLE } from './process-files';

/** Where the kernel tells of a process as it is now, and what it says at once. */
export interface LivingProcess {
  readonly pid: number;
  /** Of a thread that lives: when the first one has ended, the process's own files are empty, and the others run on. */
  readonly path: string;
  readonly status: string;
  readonly threads: number;
  /** All that is in its page tables, shared pages in full, and what the kernel keeps for that. */
  readonly mostBytes: number;
  /** Of these, files in memory and shared memory. */
  readonly shmemBytes: number;
}

/** A kernel stack of 16 KiB, and what describes a thread or process. */
const THREAD_BYTES = 32_768;
const KIB = 1_024;

/** Of a process that nobody can look at. */
export const TOO_MUCH = Number.POSITIVE_INFINITY;

/** undefined of one that has given its memory back: it has ended, or is about to. */
export function readLiving(pid: number): LivingProcess | typeof UNREADABLE | undefined {
  const own = readThread(pid, `/proc/${pid}`);
  if (own !== undefined) return own;
  // Threads may take turns in starting the next and ending: one more list, newest first, finds who lives.
  for (let round = 0; round < ROUNDS; round += 1) {
    const threads = listFolder(`/proc/${pid}/task`);
    if (threads === UNREADABLE) return UNREADABLE;
    if (threads === undefined) return isAlive(pid) ? UNREADABLE : undefined;
    if (threads.length === 1 && threads[0] === String(pid)) return undefined;
    for (const thread of threads.reverse()) {
      const living = readThread(pid, `/proc/${pid}/task/${thread}`);
      if (living !== undefined) return living;
    }
  }
  return undefined;
}

const ROUNDS = 5;

function readThread(pid: number, path: string): LivingProcess | typeof UNREADABLE | undefined {
  const status = readBeginning(`${path}/status`);
  if (status === UNREADABLE) return UNREADABLE;
  if (status === undefined || !status.includes('\nVmRSS:')) return undefined;
  const threads = readNumber(status, 'Threads');
  const kibibytes = ['VmRSS', 'VmSwap', 'VmPTE', 'HugetlbPages'].reduce((sum, name) => sum + readNumber(status, name), 0);
  const shmemBytes = readNumber(status, 'RssShmem') * KIB;
  return { pid, path, status, threads, mostBytes: kibibytes * KIB + threads * THREAD_BYTES, shmemBytes };
}

/**
 * Of what could not be read of a process that could be looked into a moment ago. One that has given its memory back on its way
 * out is nobody's any more, not even its own user's; it holds nothing.
 */
export const unlessEnding = (pid: number): number => (readLiving(pid) === undefined ? 0 : TOO_MUCH);

/** What the process has of the memory it shares with others, and alone; and how much of that are files in memory. */
export interface MemoryShare {
  readonly bytes: number;
  readonly shmemBytes: number;
}

/** Slow, as the kernel goes through all its pages. `rootPid`: the first process of the job. */
export function readMemoryShare(living: LivingProcess, rootPid: number): MemoryShare {
  const { path, status, threads, mostBytes } = living;
  const rollup = readWhole(`${path}/smaps_rollup`);
  const kernelBytes = readNumber(status, 'VmPTE') * KIB + threads * THREAD_BYTES;
  if (rollup === UNREADABLE) {
    return isForeign(status)
      ? { bytes: estimate(living, rootPid) + kernelBytes, shmemBytes: 0 }
      : { bytes: unlessEnding(living.pid), shmemBytes: 0 };
  }
  // The thread has ended since; the next look finds another. Until then, what it had.
  if (rollup === undefined || rollup === '') return isAlive(living.pid) ? { bytes: mostBytes, shmemBytes: 0 } : NOTHING;
  const kibibytes = ['Pss', 'SwapPss', 'Private_Hugetlb', 'Shared_Hugetlb'].reduce((sum, name) => sum + readNumber(rollup, name), 0);
  return { bytes: kibibytes * KIB + kernelBytes, shmemBytes: readNumber(rollup, 'Pss_Shmem') * KIB };
}

const NOTHING: MemoryShare = { bytes: 0, shmemBytes: 0 };

/**
 * Of a process that may not be looked into: all that is not from a file. Its template's part is taken off once, for the
 * first process, which began with it; the others may have let go of it. Too much where processes share pages.
 */
function estimate({ pid, status }: LivingProcess, rootPid: number): number {
  const anonymous = readNumber(status, 'RssAnon');
  const kibibytes = readNumber(status, 'RssShmem') + readNumber(status, 'VmSwap') + readNumber(status, 'HugetlbPages');
  const template = pid === rootPid ? readable(readBeginning(`/proc/${readNumber(status, 'PPid')}/status`)) : undefined;
  return (kibibytes + Math.max(0, anonymous - (template === undefined ? 0 : readNumber(template, 'RssAnon')))) * KIB;
}

/** Another user's, and this process lacks CAP_SYS_PTRACE, as in the image: no fault of the job's. */
export function isForeign(status: string): boolean {
  const [uid] = (/^Uid:\t(.*)$/m.exec(status)?.[1] ?? '').split('\t');
  return !mayLookIntoAll() && Number(uid) !== process.getuid?.();
}

const CAP_SYS_PTRACE = 1n << 19n;
let mayTrace: boolean | undefined;

function mayLookIntoAll(): boolean {
  if (mayTrace !== undefined) return mayTrace;
  const mask = /^CapEff:\t([0-9a-f]+)$/m.exec(readable(readBeginning('/proc/self/status')) ?? '')?.[1];
  return (mayTrace = (BigInt(`0x${mask ?? '0'}`) & CAP_SYS_PTRACE) !== 0n);
}

const PATTERNS = new Map<string, RegExp>();

/** The number behind a name at the beginning of a line; 0 where there is none. */
export function readNumber(text: string, name: string): number {
  let pattern = PATTERNS.get(name);
  if (pattern === undefined) PATTERNS.set(name, (pattern = new RegExp(`^${name}:\\s+(\\d+)`, 'm')));
  return Number(pattern.exec(text)?.[1] ?? 0);
}
