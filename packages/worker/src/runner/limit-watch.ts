import { inTurns } from '@python3-cluster/shared';
import { readingPrivateBytes, readingTreeUsage } from './process-usage';
import { readScratchBytes } from './scratch-usage';

export type Breach = 'wall' | 'cpu' | 'memory' | 'scratch';

export interface WatchedLimits {
  readonly timeoutMs: number;
  readonly cpuMs: number;
  readonly memoryBytes: number;
  /** CPU time the process had used before the job; 0 where it is new. */
  readonly cpuBaselineMs?: number;
  /** Folder that may hold so many bytes; not looked at where it is left out. */
  readonly scratch?: { readonly path: string; readonly maxBytes: number };
}

/** Most jobs are over before the first look. */
const FIRST_LOOK_MS = 100;
const LOOK_MS = 100;
/** Looking through a folder costs more than a look into /proc. */
const LOOKS_PER_SCRATCH_LOOK = 10;

/** A tree of hundreds of processes takes long to look at: a fifth of the time at most goes into that. */
const PAUSE_PER_LOOK = 4;

/**
 * Watches a running job from outside: wall clock by a timer, CPU and memory of its whole process tree by looking into
 * /proc, and once in ten looks its scratch folder. Calls `onBreach` once. Overshoot: at most one look (100 ms; longer with hundreds of processes) of CPU per core and
 * of allocation speed; the child's own rlimits stop a single process earlier.
 */
export class LimitWatch {
  private readonly wall: NodeJS.Timeout;
  private looks: NodeJS.Timeout | undefined;
  private peakBytes = 0;
  private ended = false;
  private lookCount = 0;
  private isLookingAtScratch = false;
  private readonly pid: number;
  private readonly limits: WatchedLimits;
  private readonly onBreach: (breach: Breach) => void;

  constructor(pid: number, limits: WatchedLimits, onBreach: (breach: Breach) => void) {
    this.pid = pid;
    this.limits = limits;
    this.onBreach = onBreach;
    this.wall = setTimeout(() => this.breach('wall'), limits.timeoutMs);
    this.looks = setTimeout(() => void this.look(), FIRST_LOOK_MS);
  }

  /** Highest memory seen over the tree; 0 if the job was over before the first look. */
  get peakMemoryBytes(): number {
    return this.peakBytes;
  }

  stop(): void {
    this.ended = true;
    clearTimeout(this.wall);
    clearTimeout(this.looks);
  }

  private async look(): Promise<void> {
    const startedAt = performance.now();
    const usage = await inTurns(readingTreeUsage(this.pid));
    // The cheap figure counts shared pages too, so only one that is over the limit needs the exact one.
    const isOver = usage.residentBytes > this.limits.memoryBytes;
    const bytes = isOver ? await inTurns(readingPrivateBytes(usage.pids)) : usage.residentBytes;
    this.peakBytes = Math.max(this.peakBytes, bytes);
    if (bytes > this.limits.memoryBytes) return this.breach('memory');
    if (usage.cpuMs - (this.limits.cpuBaselineMs ?? 0) > this.limits.cpuMs) return this.breach('cpu');
    if (this.ended) return;
    this.lookCount += 1;
    if (this.lookCount % LOOKS_PER_SCRATCH_LOOK === 0) void this.lookAtScratch(usage.pids);
    const pauseMs = Math.max(LOOK_MS, PAUSE_PER_LOOK * (performance.now() - startedAt));
    this.looks = setTimeout(() => void this.look(), pauseMs);
  }

  private async lookAtScratch(pids: readonly number[]): Promise<void> {
    const { scratch } = this.limits;
    if (scratch === undefined || this.isLookingAtScratch) return;
    this.isLookingAtScratch = true;
    const bytes = await readScratchBytes(scratch.path, pids, scratch.maxBytes);
    this.isLookingAtScratch = false;
    if (bytes !== undefined && bytes > scratch.maxBytes) this.breach('scratch');
  }

  private breach(breach: Breach): void {
    if (this.ended) return;
    this.stop();
    this.onBreach(breach);
  }
}
