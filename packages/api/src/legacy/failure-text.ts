import {
  ClusterError,
  errorTable,
  type ErrorCode,
  type Job,
  type Outcome,
  type OutcomeStatus,
  type RunKind,
} from '@python3-cluster/shared';

/** What the predecessor said before the reason, where the code did not get to its own end. */
const PREFIXES: Readonly<Record<RunKind, string>> = {
  exec: 'Failed to execute Python code: ',
  eval: 'Failed to evaluate Python expression: ',
  call: 'Failed to call Python module function: ',
  check: 'Failed to check Python syntax: ',
};

/** The `error` of an outcome that is the code's doing, in the predecessor's words. */
export function toFailureText(job: Job, outcome: Outcome): string {
  return outcome.status === 'failed' ? pythonErrorText(outcome) : PREFIXES[job.kind] + reasonText(job, outcome);
}

/**
 * Outcomes that say that the cluster, not the code, is at fault: the job never ran.
 * @throws ClusterError POOL_BUSY, or the code the job was rejected with
 */
export function assertHasRun({ status, error }: Outcome, jobId: string): void {
  if (status === 'expired') throw new ClusterError('POOL_BUSY', undefined, { details: { jobId } });
  if (status !== 'rejected') return;
  const code = error !== null && isErrorCode(error.type) ? error.type : 'INTERNAL';
  throw new ClusterError(code, error?.message, { details: { jobId }, cause: `rejected as ${error?.type}` });
}

/** `Python error: <Type>: <message>\n<traceback>`; refusals of the policy name no type. */
function pythonErrorText({ error }: Outcome): string {
  const { type = 'Error', message = '', traceback = '' } = error ?? {};
  const isRefusal = type === 'SecurityError' && message.startsWith('SECURITY ERROR:');
  const summary = isRefusal ? message : message === '' ? type : `${type}: ${message}`;
  return `Python error: ${summary}\n${traceback}`;
}

function reasonText({ limits }: Job, { status, error }: Outcome): string {
  const detail = error?.message ? `: ${error.message}` : '';
  const reasons: Partial<Record<OutcomeStatus, string>> = {
    timed_out: `timed out after ${limits.timeoutMs} ms (timeout: ${limits.timeoutMs}ms)`,
    out_of_memory: `memory limit of ${limits.memoryMb} MB exceeded`,
    cpu_exceeded: `CPU limit of ${limits.cpuSeconds} seconds exceeded`,
    crashed: `the Python process crashed${detail}`,
    cancelled: 'the job was cancelled',
    lost: `the job was lost; the code may have run${detail}`,
  };
  return reasons[status] ?? `the job ended as '${status}'${detail}`;
}

const isErrorCode = (text: string): text is ErrorCode => Object.hasOwn(errorTable, text);
