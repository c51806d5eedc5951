import { constants } from 'node:os';
import type { Attempt, ChildExited, Delivery, JobLimits, LimitName, LossType, OutcomeError, OutcomeStatus } from '@python3-cluster/shared';
import type { KillReason, RunReport } from './run-in-slot';
import type { RejectionCode } from './verify-job';

export interface Verdict {
  readonly status: OutcomeStatus;
  readonly hasValue: boolean;
  readonly error: OutcomeError | null;
  readonly limitsHit: readonly LimitName[];
}

/**
 * The outcome table: what the worker node did, what the child said, how the kernel says it ended, in this order.
 * The child may only claim `succeeded` or `failed`; everything else is decided here.
 */
export function judgeRun(report: RunReport, limits: JobLimits): Verdict {
  const outputHit: LimitName[] = report.stdout.truncated || report.stderr.truncated ? ['output'] : [];
  if (report.killReason !== undefined) {
    const { killReason } = report;
    const hit: LimitName[] = killReason === 'memory' || killReason === 'scratch' ? [killReason] : [];
    return { ...killed(killReason, limits), hasValue: false, limitsHit: [...hit, ...outputHit] };
  }
  if (report.answer === undefined) return { ...ended(report, limits), hasValue: false, limitsHit: outputHit };
  // Too short for a look, or used after the answer: the kernel counted it all the same.
  if (isOverCpu(report.exit, limits)) return { status: 'cpu_exceeded', error: cpuError(limits), hasValue: false, limitsHit: outputHit };
  const { status, hasValue, error } = report.answer.result;
  if (error === null) return { status, hasValue, error: null, limitsHit: outputHit };
  const { errno, ...outcomeError } = error;
  if (error.type === 'MemoryError') {
    const message = memoryMessage(limits) + (error.message === '' ? '' : `: ${error.message}`);
    return { status: 'out_of_memory', hasValue: false, error: { ...outcomeError, message }, limitsHit: ['memory', ...outputHit] };
  }
  return { status: 'failed', hasValue: false, error: outcomeError, limitsHit: [...limitOfErrno(errno), ...outputHit] };
}

function killed(reason: KillReason, limits: JobLimits): { status: OutcomeStatus; error: OutcomeError } {
  switch (reason) {
    case 'wall':
      return { status: 'timed_out', error: plainError('TimeoutError', `timed out after ${limits.timeoutMs} ms`) };
    case 'cpu':
      return { status: 'cpu_exceeded', error: cpuError(limits) };
    case 'memory':
      return { status: 'out_of_memory', error: plainError('MemoryError', memoryMessage(limits)) };
    case 'scratch':
      return { status: 'failed', error: plainError('ScratchExceeded', 'the scratch folder held more than PYTHON3_MAX_SCRATCH_MB allows') };
    case 'cancelled':
      return { status: 'cancelled', error: plainError('Cancelled', 'the job was cancelled') };
    case 'protocol':
      return { status: 'crashed', error: plainError('ProtocolError', 'the process wrote into the runner’s own channel and was ended') };
  }
}

function ended({ exit, isHostShort }: RunReport, limits: JobLimits): { status: OutcomeStatus; error: OutcomeError } {
  if (exit.signal === constants.signals.SIGXCPU || isOverCpu(exit, limits)) return { status: 'cpu_exceeded', error: cpuError(limits) };
  if (isHostShort === true) return { status: 'crashed', error: plainError('ProcessEnded', HOST_SHORT) };
  const how = exit.signal === null ? `exit code ${exit.exitCode ?? '?'}` : `signal ${exit.signal} (${signalName(exit.signal)})`;
  return { status: 'crashed', error: plainError('ProcessEnded', `the process ended with ${how} before it gave a result`) };
}

const HOST_SHORT = 'the kernel ended the process: all jobs of its worker node together, or its host, had no memory left';
const isOverCpu = ({ cpuMs }: ChildExited, { cpuSeconds }: JobLimits): boolean => cpuMs > cpuSeconds * 1_000;
const memoryMessage = (limits: JobLimits): string => `memory limit of ${limits.memoryMb} MB exceeded`;
const cpuError = (limits: JobLimits): OutcomeError => plainError('CpuTimeExceeded', `CPU time limit of ${limits.cpuSeconds} s exceeded`);
const plainError = (type: string, message: string): OutcomeError => ({ type, message, line: null, traceback: '' });

function signalName(signal: number): string {
  return Object.entries(constants.signals).find(([, number]) => number === signal)?.[0] ?? 'unknown';
}

/** What a failing system call says about the limit behind it. */
function limitOfErrno(errno: number | null): LimitName[] {
  if (errno === constants.errno.EFBIG) return ['file_size'];
  if (errno === constants.errno.EMFILE) return ['open_files'];
  if (errno === constants.errno.ENOSPC) return ['scratch'];
  if (errno === constants.errno.EAGAIN) return ['processes'];
  return [];
}

/** A job that was refused before any of its code ran. */
export function rejected(code: RejectionCode, message: string): Verdict {
  return { status: 'rejected', hasValue: false, error: plainError(code, message), limitsHit: [] };
}

/** A job that is not started (again). */
export function stopped(why: 'expired' | 'abandoned' | 'lost' | 'exhausted' | 'cancelled', attempts: readonly Attempt[] = []): Verdict {
  const starts = attempts.length;
  const verdict = (status: OutcomeStatus, type: string, message: string): Verdict => ({
    status,
    hasValue: false,
    error: plainError(type, message),
    limitsHit: [],
  });
  switch (why) {
    case 'expired':
      return verdict('expired', 'Expired', 'the job waited too long and was not started');
    case 'abandoned':
      return verdict('expired', 'Expired', `its caller was gone, so the job was not started${starts === 0 ? '' : ' again'}`);
    case 'cancelled':
      return verdict('cancelled', 'Cancelled', starts === 0 ? 'the job was cancelled before it was started' : 'the job was cancelled');
    case 'lost':
      return verdict('lost', 'WorkerLost', `${lossOf(attempts.at(-1))}; the job may have run, and is not started again`);
    case 'exhausted':
      return verdict(
        'crashed',
        'WorkerLost',
        `the job was started ${starts === 1 ? 'once' : `${starts} times`}; at the last, ${lossOf(attempts.at(-1))}`,
      );
  }
}

/** What is known of an attempt that has no end of its own: what its node wrote down, and else no more than that it is silent. */
function lossOf(attempt: Attempt | undefined): string {
  const noted = attempt?.error?.message;
  if (noted !== undefined) return noted;
  return `worker node ${attempt?.worker ?? 'unknown'} went down or was cut off from Redis`;
}

/** What a node writes down about an attempt that it gives up. */
export const LOSS_MESSAGES: Readonly<Record<LossType, (worker: string) => string>> = {
  LockLost: (worker) => `worker node ${worker} could not renew its lock on the job in time and ended it`,
  TemplateLost: (worker) => `the template of worker node ${worker} went down under the job`,
};

/** A job that the queue no longer knows and that therefore cannot be started (again). */
export function queueEntryLost(delivery: Delivery, starts: number): Verdict {
  const how =
    starts === 0 ? 'it was not started' : `it had been started ${starts === 1 ? 'once' : `${starts} times`}, and is not started again`;
  return {
    status: delivery === 'at-most-once' ? 'lost' : 'crashed',
    hasValue: false,
    error: plainError('QueueEntryLost', `the queue lost the job; ${how}`),
    limitsHit: [],
  };
}
