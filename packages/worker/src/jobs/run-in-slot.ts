import { checkingJsonValue, inTurns, KILL_GRACE_MS, type ChildExited, type Config, type Job } from '@python3-cluster/shared';
import type { Child, ChildAnswer } from '../runner/child';
import { LimitWatch, type Breach, type WatchedScratch } from '../runner/limit-watch';
import type { GroupEnd, GroupLimits, WorkspaceGroup } from '../sandbox/workspace-group';
import type { CapturedOutput } from '../workspaces/workspace';
import { inspectChild, type ChildInspection } from '../warm/inspect-child';

/** Everything that is known about how a child ended; `judge-run.ts` makes a status of it. */
export interface RunReport {
  readonly answer: ChildAnswer | undefined;
  /** Why it was killed, if it was, after its answer too; the first reason counts. */
  readonly killReason: KillReason | undefined;
  /** Of a child that stays: as if it had ended here. CPU time is this job's alone. */
  readonly exit: ChildExited;
  /** Of a child that stays, and can be lent again. */
  readonly inspection?: ChildInspection | undefined;
  readonly runMs: number;
  readonly maxMemoryBytes: number;
  /** The kernel ended it because all jobs together, or the host, had no memory left. */
  readonly isHostShort?: boolean;
  readonly stdout: CapturedOutput;
  readonly stderr: CapturedOutput;
}

export type KillReason = Breach | 'protocol' | 'cancelled';

/** An answer that came before them is in time; what still runs then is ended, and nothing else. */
const STANDS_IN_TIME: readonly (KillReason | undefined)[] = ['wall', 'cancelled'];

export interface RunRequest {
  readonly job: Job;
  readonly payload: Buffer;
  readonly child: Child;
  readonly config: Config;
  readonly allowedModules: readonly string[];
  /** RLIMIT_NPROC; see `process-limit.ts`. */
  readonly processLimit: number;
  /** Aborted: kill what runs, and say so. */
  readonly signal: AbortSignal;
  /** Whether the child is asked to stay. */
  readonly keep?: boolean;
  /** CPU time the child had used before this job. */
  readonly cpuBaselineMs?: number;
  /** Where the code's own calls go on, if the child is to tell of its spans. */
  readonly traceparent?: string | undefined;
}

/**
 * Runs one job in a child, in the child's own workspace. Resolves when every process of the job is dead, or the child that
 * stays is its only one.
 */
export async function runInSlot(request: RunRequest): Promise<RunReport> {
  const { job, child, config, signal, cpuBaselineMs = 0 } = request;
  const { workspace } = child;
  const memoryBytes = job.limits.memoryMb * 1_048_576;
  const processes = (child.processLimit ??= request.processLimit);
  const group = workspace.controlGroup;
  workspace.begin(config.maxOutputBytes);
  await boundsOf(group, { memoryBytes, processes: config.maxProcesses });
  const startedAt = performance.now();
  let answer: ChildAnswer | undefined;
  let killReason: KillReason | undefined;
  const kill = (reason: KillReason): void => {
    killReason ??= reason;
    child.kill();
  };
  const scratch = scratchOf(child, config);
  const watch = new LimitWatch(
    child.pid,
    { timeoutMs: job.limits.timeoutMs, cpuMs: job.limits.cpuSeconds * 1_000, memoryBytes, cpuBaselineMs, scratch, group },
    kill,
  );
  const onAbort = (): void => kill('cancelled');
  signal.addEventListener('abort', onAbort, { once: true });
  let exitTimer: NodeJS.Timeout | undefined;
  let checked: Promise<void> | undefined;
  // The watch goes on: what runs after the answer uses the job's time and memory.
  const onAnswer = (given: ChildAnswer): void => {
    checked = isJson(given.value, given.result.hasValue).then((isWell) => {
      if (isWell) answer = given;
      else kill('protocol');
    });
    // It has said all it may say; a child that then does not end is ended.
    exitTimer = setTimeout(() => child.kill(), KILL_GRACE_MS);
  };
  let onEnd!: (exit: ChildExited | undefined) => void;
  const end = new Promise<ChildExited | undefined>((resolve) => (onEnd = resolve));
  child.run(
    {
      kind: job.kind,
      mode: job.mode,
      limits: {
        memoryBytes,
        cpuSeconds: job.limits.cpuSeconds,
        fileSizeBytes: config.maxFileBytes,
        openFiles: config.maxOpenFiles,
        processes,
        valueBytes: config.maxValueBytes,
      },
      policy: { allowedModules: request.allowedModules, blockedModules: config.blockedModules },
      traceparent: request.traceparent ?? job.traceparent,
      spans: request.traceparent !== undefined,
      keep: request.keep ?? false,
    },
    request.payload,
    { onAnswer, onWaiting: () => onEnd(undefined), onExited: onEnd, onProtocolError: () => kill('protocol') },
  );
  if (signal.aborted) onAbort();
  let exit = await end;
  clearTimeout(exitTimer);
  await checked;
  const inspection = exit === undefined && killReason === undefined ? inspectChild(child) : undefined;
  watch.stop();
  signal.removeEventListener('abort', onAbort);
  if (exit === undefined && inspection !== undefined) exit = endOfJob(child.id, inspection);
  if (exit === undefined) {
    child.kill();
    // Whatever it left must be dead before its job is over.
    exit = await child.exited;
  }
  const runMs = performance.now() - startedAt;
  const counted = countedIn(group);
  if (counted.outOfMemory === 'own') kill('memory');
  await nextTurn();
  return {
    answer,
    killReason: answer === undefined || !STANDS_IN_TIME.includes(killReason) ? killReason : undefined,
    ...combine({ ...exit, cpuMs: Math.max(0, exit.cpuMs - cpuBaselineMs) }, watch.peakMemoryBytes, counted),
    inspection,
    runMs,
    ...workspace.finish(),
  };
}

/** What is mounted the kernel bounds, and it is memory; only the template and its children have it there. */
function scratchOf({ pid, workspace }: Child, config: Config): WatchedScratch {
  const { isMounted, scratchPath } = workspace;
  return {
    path: isMounted ? `/proc/${pid}/root${scratchPath}` : scratchPath,
    maxBytes: config.maxScratchMb * 1_048_576,
    isMemory: isMounted,
  };
}

const boundsOf = (group: WorkspaceGroup | undefined, limits: GroupLimits): Promise<void> | undefined => group?.begin(limits);
const countedIn = (group: WorkspaceGroup | undefined): GroupEnd => group?.end() ?? UNCOUNTED;

/** Where there is no control group. */
const UNCOUNTED: GroupEnd = { cpuMs: undefined, addedBytes: undefined, outOfMemory: undefined };

/** What was looked at, and what a control group counted: neither is more than there was. */
function combine(
  exit: ChildExited,
  peakBytes: number,
  { cpuMs = 0, addedBytes = 0, outOfMemory }: GroupEnd,
): Pick<RunReport, 'exit' | 'maxMemoryBytes' | 'isHostShort'> {
  return {
    exit: { ...exit, cpuMs: Math.max(exit.cpuMs, cpuMs) },
    maxMemoryBytes: Math.max(exit.maxRssBytes, peakBytes, addedBytes),
    isHostShort: outOfMemory === 'shared',
  };
}

const endOfJob = (childId: string, { cpuMs, residentBytes }: ChildInspection): ChildExited => ({
  type: 'exited', childId, exitCode: 0, signal: null, cpuMs, maxRssBytes: residentBytes, leftovers: 0,
  isEmpty: true,
}); // prettier-ignore

/** Lets the event loop deliver the output that was written before the end was reported. */
const nextTurn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

async function isJson(bytes: Buffer, hasValue: boolean): Promise<boolean> {
  if (!hasValue) return true;
  try {
    await inTurns(checkingJsonValue(bytes));
    return true;
  } catch {
    return false;
  }
}
