import { closeSync, constants, existsSync, mkdirSync, openSync, readSync, writeSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import type { Logger } from '@python3-cluster/shared';
import { attempt, endAll, removeEmpty, writeText } from './cgroup-files';

export interface GroupLimits {
  readonly memoryBytes: number;
  /** Processes and threads. */
  readonly processes: number;
}

/** What the kernel counted of one run. */
export interface GroupEnd {
  /** CPU time of all that ran in it, whoever waited for it; undefined where it could not be read. */
  readonly cpuMs: number | undefined;
  /** Memory that the run added at most, page cache included; undefined where the kernel does not say. */
  readonly addedBytes: number | undefined;
  /** The kernel ended it: for its own limit, or because all jobs or the host ran out. */
  readonly outOfMemory: 'own' | 'shared' | undefined;
}

/**
 * The control group of one workspace, where the host gives control groups (jobs-cgroup.ts). Each child that has the workspace
 * is moved into it at its birth, so all it forks is in it, too.
 *
 *   empty ──admit──▶ a child's ──begin──▶ bounded as its job is ──end──▶ a child's (kept: begin again) ──▶ empty
 *
 * Descriptors stay open, and bounds are written only when they change. That makes eight system calls a fresh job, of which
 * three are at its birth, and five a warm one. What fails is told once. The job is then watched as it is where there are no groups.
 */
export class WorkspaceGroup {
  readonly path: string;
  private readonly logger: Logger;
  private readonly members: number;
  private readonly cpu: number | undefined;
  private readonly events: number | undefined;
  private readonly peak: number | undefined;
  private readonly mayResetPeak: boolean;
  private readonly kills: number | undefined;
  private readonly names: readonly string[];
  private readonly written = new Map<string, number>();
  /** The child may be in it. */
  private isUsed = false;
  /** The last child was in it: what was counted is its own until there is another one. */
  private isCounting = false;
  private isBounding = false;
  private hasComplained = false;
  private cpuBefore: number | undefined;
  private eventsBefore = { oom: 0, oomKill: 0 };
  private peakBefore = 0;

  /** @throws Error where it cannot be made, or may not be bounded */
  constructor(path: string, logger: Logger) {
    this.path = path;
    this.logger = logger;
    if (!existsSync(path)) mkdirSync(path);
    this.names = ['memory.max', 'pids.max'].filter((name) => existsSync(join(path, name)));
    if (this.names.includes('memory.max')) {
      // One process of a job that is ended while the others go on is no end of a job; and what is swapped out is not gone.
      writeText(join(path, 'memory.oom.group'), '1');
      if (existsSync(join(path, 'memory.swap.max'))) writeText(join(path, 'memory.swap.max'), '0');
    }
    this.members = openSync(join(path, 'cgroup.procs'), constants.O_WRONLY);
    this.cpu = tryOpen(join(path, 'cpu.stat'), constants.O_RDONLY);
    this.events = tryOpen(join(path, 'memory.events'), constants.O_RDONLY);
    this.kills = tryOpen(join(path, 'cgroup.kill'), constants.O_WRONLY);
    // Since Linux 6.12 whoever has it open can have it counted from now on.
    const peak = tryOpen(join(path, 'memory.peak'), constants.O_RDWR);
    this.mayResetPeak = peak !== undefined;
    this.peak = peak ?? tryOpen(join(path, 'memory.peak'), constants.O_RDONLY);
  }

  /** Whether the kernel holds the memory limit of the run. */
  get boundsMemory(): boolean {
    return this.isBounding && this.names.includes('memory.max');
  }

  /** A child that has just been forked, before it hears of a job. One that has ended meanwhile is nobody's. */
  admit(pid: number): void {
    this.leave();
    this.isUsed = this.tell('a process cannot be moved into its control group', () => writeSync(this.members, `${pid}\n`, 0));
    this.isCounting = this.isUsed;
    if (!this.isUsed) return;
    this.cpuBefore = this.readCpu();
    this.eventsBefore = this.readEvents();
  }

  /** A promise only where there is something to write, which takes long where it makes the kernel reclaim what is over it. */
  begin(limits: GroupLimits): Promise<void> | undefined {
    if (!this.isUsed) return undefined;
    const wanted = { 'memory.max': limits.memoryBytes, 'pids.max': limits.processes };
    const changed = Object.entries(wanted).filter(([name, value]) => this.names.includes(name) && this.written.get(name) !== value);
    if (changed.length > 0) return this.bound(changed).then(() => this.beginCounting());
    this.beginCounting();
    return undefined;
  }

  /** Since the last end, or the child's birth. */
  readCpuMs(): number | undefined {
    const now = this.isCounting ? this.readCpu() : undefined;
    return now === undefined || this.cpuBefore === undefined ? undefined : now - this.cpuBefore;
  }

  /** When all of the job is dead, or a kept child waits. */
  end(): GroupEnd {
    if (!this.isCounting) return { cpuMs: undefined, addedBytes: undefined, outOfMemory: undefined };
    const cpu = this.readCpu();
    const cpuMs = cpu === undefined || this.cpuBefore === undefined ? undefined : cpu - this.cpuBefore;
    const events = this.readEvents();
    const { oom, oomKill } = this.eventsBefore;
    const outOfMemory = events.oomKill === oomKill ? undefined : events.oom > oom ? 'own' : 'shared';
    [this.cpuBefore, this.eventsBefore] = [cpu, events];
    return { cpuMs, addedBytes: this.readAdded(), outOfMemory };
  }

  /** All of the job at once, and faster than it can fork; nothing where the kernel cannot (before Linux 5.14). */
  kill(): void {
    const { kills } = this;
    if (this.isUsed && kills !== undefined) this.tell('a control group cannot be killed', () => writeSync(kills, '1\n', 0));
  }

  /** Its child is gone, and all that it forked. What they used can still be asked for. */
  leave(): void {
    this.isUsed = this.isBounding = false;
  }

  /** @returns whether nothing is in it any more; false of a child that never was in it */
  async endAll(): Promise<boolean> {
    return this.isUsed && (await endAll(this.path));
  }

  close(): void {
    this.leave();
    for (const descriptor of [this.members, this.cpu, this.events, this.peak, this.kills]) {
      if (descriptor !== undefined) attempt(() => closeSync(descriptor));
    }
    removeEmpty(this.path);
  }

  private async bound(changed: readonly (readonly [string, number])[]): Promise<void> {
    for (const [name, value] of changed) {
      this.written.delete(name);
      try {
        await writeFile(join(this.path, name), `${value}\n`, { flag: constants.O_WRONLY });
        this.written.set(name, value);
      } catch (error) {
        this.complain(`${name} cannot be set`, error);
      }
    }
  }

  private beginCounting(): void {
    this.isBounding = this.names.every((name) => this.written.has(name));
    const { peak } = this;
    if (peak !== undefined && this.mayResetPeak) attempt(() => writeSync(peak, 'reset\n', 0));
    this.peakBefore = peak === undefined ? 0 : Number.parseInt(readAgain(peak), 10) || 0;
  }

  /** Where it counts from the group's own beginning, a peak that has not grown is another run's. */
  private readAdded(): number | undefined {
    if (this.peak === undefined) return undefined;
    const peak = Number.parseInt(readAgain(this.peak), 10);
    if (Number.isNaN(peak)) return undefined;
    if (this.mayResetPeak) return Math.max(0, peak - this.peakBefore);
    return peak > this.peakBefore ? peak : undefined;
  }

  private readCpu(): number | undefined {
    const text = this.cpu === undefined ? undefined : /^usage_usec (\d+)$/m.exec(readAgain(this.cpu))?.[1];
    return text === undefined ? undefined : Number(text) / 1_000;
  }

  private readEvents(): { readonly oom: number; readonly oomKill: number } {
    const text = this.events === undefined ? '' : readAgain(this.events);
    const count = (pattern: RegExp): number => Number(pattern.exec(text)?.[1] ?? 0);
    return { oom: count(/^oom (\d+)$/m), oomKill: count(/^oom_kill (\d+)$/m) };
  }

  private tell(what: string, action: () => void): boolean {
    try {
      action();
      return true;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ESRCH') this.complain(what, error);
      return false;
    }
  }

  private complain(what: string, error: unknown): void {
    if (this.hasComplained) return;
    this.hasComplained = true;
    const group = basename(this.path);
    this.logger.error({ group, path: this.path, error: String(error) }, `${what}: its jobs are watched as on hosts without control groups`);
  }
}

function tryOpen(path: string, flags: number): number | undefined {
  try {
    return openSync(path, flags);
  } catch {
    return undefined;
  }
}

const buffer = Buffer.alloc(4_096);

/** From the beginning; empty where it cannot be read. */
function readAgain(descriptor: number): string {
  try {
    return buffer.toString('latin1', 0, readSync(descriptor, buffer, 0, buffer.length, 0));
  } catch {
    return '';
  }
}
