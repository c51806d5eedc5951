import { assertJsonValue, KILL_GRACE_MS, type ChildExited, type Config, type Job } from '@python3-cluster/shared';
import type { Child, ChildAnswer } from '../runner/child';
import { LimitWatch, type Breach } from '../runner/limit-watch';
import type { Slot } from '../pool/slot';

/** Everything that is known about how a child ended; `judge-run.ts` makes a status of it. */
export interface RunReport {
  readonly answer: ChildAnswer | undefined;
  /** Why it was killed, if it was; the first reason counts. */
  readonly killReason: KillReason | undefined;
  readonly exit: ChildExited;
  readonly runMs: number;
  readonly maxMemoryBytes: number;
  readonly stdout: Captured;
  readonly stderr: Captured;
}

export type KillReason = Breach | 'protocol' | 'cancelled';

interface Captured {
  readonly bytes: Buffer;
  readonly truncated: boolean;
}

export interface RunRequest {
  readonly job: Job;
  readonly payload: Buffer;
  readonly slot: Slot;
  readonly child: Child;
  readonly config: Config;
  readonly allowedModules: readonly string[];
  /** Aborted: kill what runs, and say so. */
  readonly signal: AbortSignal;
}

/** Runs one job in a fresh child and a borrowed slot. Resolves when every process of the job is dead. */
export async function runInSlot(request: RunRequest): Promise<RunReport> {
  const { job, slot, child, config, signal } = request;
  const memoryBytes = job.limits.memoryMb * 1_048_576;
  slot.stdout.begin(config.maxOutputBytes);
  slot.stderr.begin(config.maxOutputBytes);
  const startedAt = performance.now();
  let answer: ChildAnswer | undefined;
  let killReason: KillReason | undefined;
  const kill = (reason: KillReason): void => {
    killReason ??= reason;
    child.kill();
  };
  const watch = new LimitWatch(child.pid, { timeoutMs: job.limits.timeoutMs, cpuMs: job.limits.cpuSeconds * 1_000, memoryBytes }, kill);
  const onAbort = (): void => kill('cancelled');
  signal.addEventListener('abort', onAbort, { once: true });
  let exitTimer: NodeJS.Timeout | undefined;
  const onAnswer = (given: ChildAnswer): void => {
    watch.stop();
    if (given.result.hasValue && !isJson(given.value)) return kill('protocol');
    answer = given;
    // It has said all it may say; a child that then does not end is ended.
    exitTimer = setTimeout(() => child.kill(), KILL_GRACE_MS);
  };
  child.run(
    {
      kind: job.kind,
      mode: job.mode,
      stdoutPath: slot.stdoutPath,
      stderrPath: slot.stderrPath,
      scratchPath: slot.scratchPath,
      limits: {
        memoryBytes,
        cpuSeconds: job.limits.cpuSeconds,
        fileSizeBytes: config.maxFileBytes,
        openFiles: config.maxOpenFiles,
        processes: config.maxProcesses,
        valueBytes: config.maxValueBytes,
      },
      policy: { allowedModules: request.allowedModules, blockedModules: config.blockedModules },
      traceparent: job.traceparent,
    },
    request.payload,
    { onAnswer, onProtocolError: () => kill('protocol') },
  );
  if (signal.aborted) onAbort();
  const exit = await child.exited;
  const runMs = performance.now() - startedAt;
  await nextTurn();
  watch.stop();
  clearTimeout(exitTimer);
  signal.removeEventListener('abort', onAbort);
  return {
    answer,
    killReason: answer === undefined || killReason === 'protocol' ? killReason : undefined,
    exit,
    runMs,
    maxMemoryBytes: Math.max(exit.maxRssBytes, watch.peakMemoryBytes),
    stdout: slot.stdout.finish(),
    stderr: slot.stderr.finish(),
  };
}

/** Lets the event loop deliver the output that was written before the end was reported. */
const nextTurn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

function isJson(bytes: Buffer): boolean {
  try {
    assertJsonValue(bytes);
    return true;
  } catch {
    return false;
  }
}
