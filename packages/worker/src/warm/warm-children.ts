import type { Job, JobMode, Logger } from '@python3-cluster/shared';
import type { Child } from '../runner/child';
import { readPrivateBytes } from '../runner/process-usage';
import { inspectChild, type ChildInspection } from './inspect-child';
import { UseCounter } from './use-counter';
import { warmKeyOf } from './warm-key';

export interface WarmChildrenOptions {
  /** Children waiting for a job at most. */
  readonly maxChildren: number;
  /** Private memory of all that are kept. */
  readonly memoryBytes: number;
  readonly idleMs: number;
  readonly maxUses: number;
  readonly logger: Logger;
}

/** A child for one job, and what becomes of it afterwards. */
export interface LentChild {
  readonly child: Child;
  /** Whether it has run before: for the same owner, mode and program. */
  readonly isWarm: boolean;
  /** Whether the job is to ask the child to stay. */
  readonly keep: boolean;
  /** CPU time the child had used before this job. */
  readonly cpuBaselineMs: number;
  /** Call it once, when the job is over. Without an inspection, or after a failure of any limit, the child is ended. */
  readonly giveBack: (inspection: ChildInspection | undefined) => void;
}

/**
 * Children that are kept after their job, each for one owner, mode and program; `docs/security-model.md` says what they
 * keep. One job at a time runs in one child; several children may serve one key.
 *
 *   (fresh) ──lent──▶ running ──given back, inspected──▶ kept ──lent──▶ running …
 *                        └──dirty, limit broken, too many uses──▶ ended
 *            kept ──unused too long, not really idle, least recently used when there are too many or too large, template lost or retired──▶ ended
 */
export class WarmChildren {
  private readonly options: WarmChildrenOptions;
  private readonly counter = new UseCounter();
  /** Least recently used first. */
  private readonly kept = new Set<KeptChild>();
  private timer: NodeJS.Timeout | undefined;
  private closed = false;

  constructor(options: WarmChildrenOptions) {
    this.options = options;
  }

  /** Children waiting for a job. */
  get size(): number {
    return this.kept.size;
  }

  /** A kept child where the job may have one and one is free; else what `takeFresh` gives. */
  async lend(job: Job, payload: Buffer, takeFresh: () => Promise<Child>): Promise<LentChild> {
    const key = await this.keyFor(job, payload);
    const kept = key === undefined ? undefined : this.take(key);
    if (key === undefined) return lendOnce(await takeFresh());
    const child = kept?.child ?? (await takeFresh());
    const uses = (kept?.uses ?? 0) + 1;
    return {
      child,
      isWarm: kept !== undefined,
      keep: uses < this.options.maxUses,
      cpuBaselineMs: kept?.cpuMs ?? 0,
      giveBack: (inspection) => this.takeBack({ key, mode: job.mode, child, uses }, inspection, kept),
    };
  }

  /** Makes room where a job of that mode waits for a workspace. @returns whether there was a child to end */
  endOldest(mode: JobMode): boolean {
    const oldest = [...this.kept].find((kept) => kept.mode === mode);
    if (oldest !== undefined) this.end(oldest, 'its workspace is wanted');
    return oldest !== undefined;
  }

  /** The children end with their templates. */
  close(): void {
    this.closed = true;
    clearInterval(this.timer);
    this.kept.clear();
  }

  private async keyFor(job: Job, payload: Buffer): Promise<string | undefined> {
    if (job.isolation === 'fresh' || this.options.memoryBytes === 0 || this.closed) return undefined;
    const key = await warmKeyOf(job, payload);
    if (key === undefined || job.isolation === 'warm') return key;
    return this.counter.count(key) ? key : undefined;
  }

  /** The one used last, so that those there is no need for grow old. */
  private take(key: string): KeptChild | undefined {
    const found = [...this.kept].findLast((kept) => kept.key === key && kept.child.isUsable);
    if (found !== undefined) this.forget(found);
    return found;
  }

  private takeBack(ran: RanChild, inspection: ChildInspection | undefined, before: KeptChild | undefined): void {
    const { child } = ran;
    if (child.state === 'gone') return;
    if (inspection === undefined || !child.isUsable || this.closed) return child.kill();
    const { cpuMs, residentBytes } = inspection;
    const idleUntil = performance.now() + this.options.idleMs;
    const kept = { ...ran, cpuMs, residentBytes, privateBytes: privateBytesOf(child, residentBytes, before), idleUntil };
    this.kept.add(kept);
    child.workspace.onNews(() => this.end(kept, 'it prints while it should wait'));
    child.onRetired = () => this.end(kept, 'its template is retired');
    // One timer for all: making and clearing one for each job costs more than the patrol.
    this.timer ??= setInterval(() => this.patrol(), Math.min(PATROL_MS, this.options.idleMs)).unref();
    if (before === undefined) void child.exited.then(() => this.forgetChild(child));
    this.shrink();
  }

  /** Code that answered for us, and only seems to wait, would run on outside every limit. */
  private patrol(): void {
    for (const kept of this.kept) this.look(kept);
    if (this.kept.size > 0) return;
    clearInterval(this.timer);
    this.timer = undefined;
  }

  private look(kept: KeptChild): void {
    if (performance.now() >= kept.idleUntil) return this.end(kept, 'unused');
    const now = inspectChild(kept.child);
    const isStill = now !== undefined && now.cpuMs - kept.cpuMs < IDLE_CPU_MS && now.residentBytes - kept.residentBytes < GROWTH_BYTES;
    if (!isStill) this.end(kept, 'not idle');
  }

  private shrink(): void {
    let bytes = 0;
    for (const kept of this.kept) bytes += kept.privateBytes;
    for (const kept of this.kept) {
      if (this.kept.size <= this.options.maxChildren && bytes <= this.options.memoryBytes) return;
      bytes -= kept.privateBytes;
      this.end(kept, 'no room');
    }
  }

  private end(kept: KeptChild, reason: string): void {
    if (!this.forget(kept)) return;
    this.options.logger.debug({ pid: kept.child.pid, uses: kept.uses, reason }, 'kept child is ended');
    kept.child.kill();
  }

  private forgetChild(child: Child): void {
    for (const kept of this.kept) if (kept.child === child) this.forget(kept);
  }

  private forget(kept: KeptChild): boolean {
    kept.child.workspace.onNews(undefined);
    kept.child.onRetired = undefined;
    return this.kept.delete(kept);
  }
}

interface RanChild {
  readonly key: string;
  readonly mode: JobMode;
  readonly child: Child;
  readonly uses: number;
}

interface KeptChild extends RanChild {
  readonly cpuMs: number;
  readonly residentBytes: number;
  readonly privateBytes: number;
  readonly idleUntil: number;
}

/** A child for a single job; it ends by itself. */
const lendOnce = (child: Child): LentChild => ({
  child,
  isWarm: false,
  keep: false,
  cpuBaselineMs: 0,
  giveBack: () => undefined,
});

const GROWTH_BYTES = 1_048_576;
const PATROL_MS = 1_000;
/** Going to sleep takes less, and the coarser of two clocks errs by 20 ms. */
const IDLE_CPU_MS = 50;

/** The exact figure is slow to read, so it is read again only when the cheap one has moved. */
function privateBytesOf(child: Child, residentBytes: number, before: KeptChild | undefined): number {
  if (before !== undefined && Math.abs(residentBytes - before.residentBytes) < GROWTH_BYTES) return before.privateBytes;
  return readPrivateBytes([child.pid]);
}
