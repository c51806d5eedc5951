import { setTimeout as sleep } from 'node:timers/promises';
import { inTurns } from '@python3-cluster/shared';
import { readKernelObjects } from './kernel-objects';
import { UNREADABLE } from './process-files';
import { isForeign, readLiving, TOO_MUCH, unlessEnding } from './process-memory';
import { readingTreeMemory, readingTreeUsage, type TreeUsage } from './process-usage';
import { readMemoryScratch, readScratchBytes } from './scratch-usage';

export type Breach = 'wall' | 'cpu' | 'memory' | 'scratch';

export interface WatchedScratch {
  readonly path: string;
  readonly maxBytes: number;
  /**
   * A file system in memory, which holds the limit itself: what is in it is memory of the job. Its path may lead through the
   * job's own root, `/proc/<pid>/root`. Else it is a folder that is counted.
   */
  readonly isMemory?: boolean;
}

export interface WatchedLimits {
  readonly timeoutMs: number;
  readonly cpuMs: number;
  readonly memoryBytes: number;
  /** CPU time the process had used before the job; 0 where it is new. */
  readonly cpuBaselineMs?: number;
  /** Not looked at where it is left out. */
  readonly scratch?: WatchedScratch;
  /** Where the job is in a control group: what the kernel counts there is exact, and need not be looked for. */
  readonly group?: WatchedGroup | undefined;
}

export interface WatchedGroup {
  /** The kernel ends the job at its memory limit. */
  readonly boundsMemory: boolean;
  /** Of this job alone; undefined where it cannot be read. */
  readCpuMs(): number | undefined;
}

/** Most jobs are over before the first look. */
const FIRST_LOOK_MS = 100;
const LOOK_MS = 100;
/** Counting descriptors, or the files of a folder, costs more than a look into /proc. */
const FIRST_KERNEL_LOOK_MS = 150;
const KERNEL_LOOK_MS = 400;
const FIRST_SCRATCH_LOOK_MS = 350;
const SCRATCH_LOOK_MS = 400;

/** A tree of hundreds of processes takes long to look at: a fifth of the time at most goes into that. */
const PAUSE_PER_LOOK = 4;

/**
 * A process between vfork(2) and its program has its parent's pages as its own, for a moment: what several processes have
 * is too much only if it stays so.
 */
const SECOND_LOOKS = 3;
const SECOND_LOOK_MS = 10;

/**
 * Watches a job from outside, until the process is gone and not only until it has answered: wall clock by a timer, CPU and
 * memory of its whole process tree by looking into /proc, and twice a second its scratch folder. Calls `onBreach` once. In a
 * control group that bounds memory the kernel does that part, and CPU time is one figure.
 * Overshoot: at most one look (100 ms; longer with hundreds of processes) of CPU per core and of allocation speed; the
 * child's own rlimits stop a single process earlier.
 */
export class LimitWatch {
  private readonly wall: NodeJS.Timeout;
  private looks: NodeJS.Timeout | undefined;
  private peakBytes = 0;
  private ended = false;
  private kernelLookAt = performance.now() + FIRST_KERNEL_LOOK_MS;
  private scratchLookAt = performance.now() + FIRST_SCRATCH_LOOK_MS;
  /** What the kernel kept beside pages, when that was last counted. */
  private kernelBytes = 0;
  private readonly pid: number;
  private readonly limits: WatchedLimits;
  private readonly onBreach: (breach: Breach) => void;

  constructor(pid: number, limits: WatchedLimits, onBreach: (breach: Breach) => void) {
    this.pid = pid;
    this.limits = limits;
    this.onBreach = onBreach;
    this.wall = setTimeout(() => this.breach('wall'), limits.timeoutMs);
    this.lookIn(FIRST_LOOK_MS);
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
    const breach = this.limits.group?.boundsMemory === true ? await this.lookAtGroup(this.limits.group) : await this.lookAtTree();
    if (breach !== undefined) return this.breach(breach);
    if (this.ended) return;
    const pauseMs = Math.max(LOOK_MS, PAUSE_PER_LOOK * (performance.now() - startedAt));
    this.lookIn(pauseMs);
  }

  private async lookAtTree(): Promise<Breach | undefined> {
    const startedAt = performance.now();
    const usage = await inTurns(readingTreeUsage(this.pid));
    const cpuMs = usage.cpuMs - (this.limits.cpuBaselineMs ?? 0);
    if (Math.max(cpuMs, this.limits.group?.readCpuMs() ?? 0) > this.limits.cpuMs) return 'cpu';
    if (startedAt > this.kernelLookAt) await this.lookAtKernel(usage.pids);
    if (await this.isTooMuch(usage)) return 'memory';
    if (startedAt > this.scratchLookAt) this.startScratchLook(usage.pids);
    return undefined;
  }

  /** Its processes are looked for only where a folder must be counted. */
  private async lookAtGroup(group: WatchedGroup): Promise<Breach | undefined> {
    const cpuMs = group.readCpuMs();
    if (cpuMs === undefined) return this.lookAtTree();
    if (cpuMs > this.limits.cpuMs) return 'cpu';
    const hasFolder = this.limits.scratch !== undefined && this.limits.scratch.isMemory !== true;
    if (hasFolder && performance.now() > this.scratchLookAt) this.startScratchLook((await inTurns(readingTreeUsage(this.pid))).pids);
    return undefined;
  }

  private startScratchLook(pids: readonly number[]): void {
    if (!this.ended) void this.lookAtScratch(pids).catch(() => this.breach('scratch'));
  }

  /** A look that fails has seen nothing, and nobody knows what there was. */
  private lookIn(pauseMs: number): void {
    this.looks = setTimeout(() => void this.look().catch(() => this.breach('memory')), pauseMs);
  }

  /** The cheap figure counts shared pages too, so only one that is over the limit needs the exact one. */
  private async isTooMuch(first: TreeUsage): Promise<boolean> {
    // No second look: what two processes have both open counts once.
    if (this.kernelBytes > this.limits.memoryBytes) {
      this.notePeak(this.kernelBytes);
      return true;
    }
    let usage = first;
    for (let look = 0; ; look += 1) {
      const cheap = this.kernelBytes + this.withScratch(usage.residentBytes, usage.shmemBytes, usage.largestShmemBytes);
      const bytes = cheap > this.limits.memoryBytes ? await this.readExactly(usage.pids) : cheap;
      const isOver = bytes > this.limits.memoryBytes;
      if (!isOver || usage.pids.length === 1 || look === SECOND_LOOKS || this.ended) {
        this.notePeak(bytes);
        return isOver;
      }
      await sleep(SECOND_LOOK_MS);
      usage = await inTurns(readingTreeUsage(this.pid));
    }
  }

  private async readExactly(pids: readonly number[]): Promise<number> {
    if (performance.now() > this.kernelLookAt) await this.lookAtKernel(pids);
    const { bytes, shmemBytes } = await inTurns(readingTreeMemory(pids));
    return this.kernelBytes + this.withScratch(bytes, shmemBytes, shmemBytes);
  }

  /** What is mapped of files in memory is in the scratch folder, if that is one in memory: there is no other way to have any. */
  private withScratch(bytes: number, shmemBytes: number, leastShmemBytes: number): number {
    if (this.limits.scratch?.isMemory !== true) return bytes;
    return bytes - shmemBytes + Math.max(leastShmemBytes, this.readScratchMemory());
  }

  private notePeak(bytes: number): void {
    if (Number.isFinite(bytes)) this.peakBytes = Math.max(this.peakBytes, bytes);
  }

  private async lookAtKernel(pids: readonly number[]): Promise<void> {
    this.kernelBytes = await readKernelObjects(pids, this.limits.memoryBytes);
    this.kernelLookAt = performance.now() + KERNEL_LOOK_MS;
  }

  private readScratchMemory(): number {
    const { scratch } = this.limits;
    if (scratch?.isMemory !== true) return 0;
    const living = readLiving(this.pid);
    if (living === undefined) return 0;
    if (living === UNREADABLE) return TOO_MUCH;
    // Of a thread that lives: a process whose first one has ended shows no root.
    const bytes = readMemoryScratch(scratch.path.replace(`/proc/${this.pid}/`, `${living.path}/`));
    // Where it may not be looked into, its own bound is all there is.
    return bytes ?? (isForeign(living.status) ? 0 : unlessEnding(this.pid));
  }

  private async lookAtScratch(pids: readonly number[]): Promise<void> {
    const { scratch } = this.limits;
    if (scratch === undefined || scratch.isMemory === true) return;
    // One at a time, and a fifth of the time at most.
    this.scratchLookAt = Number.POSITIVE_INFINITY;
    const startedAt = performance.now();
    const bytes = await readScratchBytes(scratch.path, pids, scratch.maxBytes);
    if (bytes !== undefined && bytes > scratch.maxBytes) return this.breach('scratch');
    const now = performance.now();
    this.scratchLookAt = now + Math.max(SCRATCH_LOOK_MS, PAUSE_PER_LOOK * (now - startedAt));
  }

  private breach(breach: Breach): void {
    if (this.ended) return;
    this.stop();
    this.onBreach(breach);
  }
}
