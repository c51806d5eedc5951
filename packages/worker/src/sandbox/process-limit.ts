import { readdir, readFile } from 'node:fs/promises';
import type { Isolation } from './isolation';
import { parseProcStatus } from './proc-status';

/** How often it is counted what else runs. */
const LOOK_MS = 2_000;
/** Files of /proc read at one time. */
const AT_ONCE = 16;

/** What RLIMIT_NPROC of a job is set to. */
export interface ProcessLimit {
  readonly current: number;
  start(): Promise<void>;
  stop(): void;
}

/**
 * The kernel holds this limit against all processes and threads of the job's user, whoever started them. Where slots have a
 * user or a user namespace of their own these are jobs; root is not bound. But as the worker node's own, plain user (level
 * C) a desktop or a few services would leave nothing of it: there, what is not below the worker node is laid on top.
 */
export function createProcessLimit(
  maxProcesses: number,
  { templateUids, layers }: Pick<Isolation, 'templateUids' | 'layers'>,
): ProcessLimit {
  const isShared = templateUids === undefined && !layers.namespaces && process.getuid?.() !== 0;
  return isShared ? new SharedProcessLimit(maxProcesses) : { current: maxProcesses, start: () => Promise.resolve(), stop: () => undefined };
}

class SharedProcessLimit implements ProcessLimit {
  private readonly maxProcesses: number;
  private others = 0;
  private timer: NodeJS.Timeout | undefined;

  constructor(maxProcesses: number) {
    this.maxProcesses = maxProcesses;
  }

  get current(): number {
    return this.others + this.maxProcesses;
  }

  async start(): Promise<void> {
    this.timer = setInterval(() => void this.look(), LOOK_MS);
    this.timer.unref();
    await this.look();
  }

  stop(): void {
    clearInterval(this.timer);
  }

  private async look(): Promise<void> {
    this.others = await countOthers(process.getuid?.() ?? -1, process.pid).catch(() => this.others);
  }
}

interface Seen {
  readonly pid: number;
  readonly parent: number;
  readonly uid: number;
  readonly threads: number;
}

/** Threads of a user's processes but for those that descend from `ancestor`, its own included. */
export async function countOthers(uid: number, ancestor: number): Promise<number> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  const seen: Seen[] = [];
  for (let start = 0; start < pids.length; start += AT_ONCE) {
    const read = await Promise.all(pids.slice(start, start + AT_ONCE).map(look));
    seen.push(...read.filter((one) => one !== undefined));
  }
  const parents = new Map(seen.map(({ pid, parent }) => [pid, parent]));
  const descends = (pid: number): boolean => {
    // No chain is longer than there are processes, even if a pid was used again while they were read.
    for (let at = parents.get(pid), steps = 0; at !== undefined && steps < parents.size; at = parents.get(at), steps += 1) {
      if (at === ancestor) return true;
    }
    return false;
  };
  return seen.filter((one) => one.uid === uid && !descends(one.pid)).reduce((sum, { threads }) => sum + threads, 0);
}

/** undefined where the process is gone. */
async function look(pid: string): Promise<Seen | undefined> {
  const status = parseProcStatus(await readFile(`/proc/${pid}/status`, 'latin1').catch(() => ''));
  // Of several numbers the first: that user is the real one, whom the limit is about.
  const value = (name: string): number => Number(status.get(name)?.split('\t')[0] ?? NaN);
  const seen = { pid: Number(pid), parent: value('PPid'), uid: value('Uid'), threads: value('Threads') };
  return Number.isNaN(seen.threads) ? undefined : seen;
}
