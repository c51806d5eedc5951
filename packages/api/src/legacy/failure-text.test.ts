import { describe, expect, it } from '@jest/globals';
import type { Job, Outcome, OutcomeError, OutcomeStatus, RunKind } from '@python3-cluster/shared';
import { assertHasRun, toFailureText } from './failure-text';

const job = (kind: RunKind): Job => ({ kind, limits: { timeoutMs: 1_500, memoryMb: 64, cpuSeconds: 2 } }) as Job;
const errorOf = (type: string, message: string, traceback = ''): OutcomeError => ({ type, message, line: null, traceback });
const outcome = (status: OutcomeStatus, error: OutcomeError | null = null): Outcome => ({ status, error }) as Outcome;

describe('the text of a failure', () => {
  it.each<[RunKind, Outcome, string]>([
    ['exec', outcome('failed', errorOf('ValueError', 'bad', 'Traceback …\n')), 'Python error: ValueError: bad\nTraceback …\n'],
    ['exec', outcome('failed', errorOf('KeyboardInterrupt', '')), 'Python error: KeyboardInterrupt\n'],
    [
      'exec',
      outcome('failed', errorOf('SecurityError', 'SECURITY ERROR: Security violation: no')),
      'Python error: SECURITY ERROR: Security violation: no\n',
    ],
    ['exec', outcome('failed', errorOf('SecurityError', 'a class of the user')), 'Python error: SecurityError: a class of the user\n'],
    ['exec', outcome('timed_out'), 'Failed to execute Python code: timed out after 1500 ms (timeout: 1500ms)'],
    ['eval', outcome('timed_out'), 'Failed to evaluate Python expression: timed out after 1500 ms (timeout: 1500ms)'],
    ['call', outcome('out_of_memory'), 'Failed to call Python module function: memory limit of 64 MB exceeded'],
    ['exec', outcome('cpu_exceeded'), 'Failed to execute Python code: CPU limit of 2 seconds exceeded'],
    [
      'exec',
      outcome('crashed', errorOf('ProcessEnded', 'signal 11')),
      'Failed to execute Python code: the Python process crashed: signal 11',
    ],
    ['exec', outcome('cancelled'), 'Failed to execute Python code: the job was cancelled'],
    ['exec', outcome('lost'), 'Failed to execute Python code: the job was lost; the code may have run'],
  ])('%s %j', (kind, ended, text) => {
    expect(toFailureText(job(kind), ended)).toBe(text);
  });

  it.each<[Outcome, string]>([
    [outcome('expired'), 'POOL_BUSY'],
    [outcome('rejected', errorOf('POOL_BUSY', 'busy')), 'POOL_BUSY'],
    [outcome('rejected', errorOf('JOB_EXPIRED', 'late')), 'JOB_EXPIRED'],
    [outcome('rejected', errorOf('toString', 'odd')), 'INTERNAL'],
    [outcome('rejected'), 'INTERNAL'],
  ])('%j is the cluster’s fault: %s', (ended, code) => {
    expect(() => assertHasRun(ended, 'id')).toThrow(expect.objectContaining({ code, details: { jobId: 'id' } }));
  });

  it('whatever the code did is not the cluster’s fault', () => {
    for (const status of ['succeeded', 'failed', 'timed_out', 'crashed', 'lost'] as const) assertHasRun(outcome(status), 'id');
  });
});
