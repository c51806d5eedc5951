import { constants } from 'node:os';
import { describe, expect, it } from '@jest/globals';
import { OUTCOME_STATUSES, type Attempt, type ChildExited, type ChildResult } from '@python3-cluster/shared';
import { judgeRun, LOSS_MESSAGES, rejected, stopped, type Verdict } from './judge-run';
import type { KillReason, RunReport } from './run-in-slot';

const limits = { timeoutMs: 1_500, memoryMb: 64, cpuSeconds: 2 };
const { SIGKILL, SIGSEGV, SIGXCPU, SIGTERM, SIGABRT } = constants.signals;
const { EFBIG, EMFILE, EAGAIN, ENOENT, ENOMEM, ENOSPC } = constants.errno;

interface Case {
  result?: Partial<ChildResult>;
  errorType?: string;
  errno?: number | null;
  killReason?: KillReason;
  exit?: Partial<ChildExited>;
  truncated?: 'stdout' | 'stderr';
  isHostShort?: boolean;
}

function reportOf({ result, errorType, errno = null, killReason, exit, truncated, isHostShort = false }: Case): RunReport {
  const error = errorType === undefined ? null : { type: errorType, message: 'the message', line: 3, traceback: 'Traceback', errno };
  const answered = result !== undefined || errorType !== undefined;
  const status = error === null ? 'succeeded' : 'failed';
  const full: ChildResult = { type: 'result', nonce: 'n', status, hasValue: error === null, error, ...result };
  return {
    answer: answered ? { result: full, value: Buffer.from('1') } : undefined,
    killReason,
    exit: { type: 'exited', childId: 'c', exitCode: 0, signal: null, cpuMs: 10, maxRssBytes: 1, leftovers: 0, isEmpty: true, ...exit },
    runMs: 5,
    isHostShort,
    maxMemoryBytes: 1,
    stdout: { bytes: Buffer.alloc(0), truncated: truncated === 'stdout' },
    stderr: { bytes: Buffer.alloc(0), truncated: truncated === 'stderr' },
  };
}

type Expected = [status: Verdict['status'], errorType: string | undefined, limitsHit: Verdict['limitsHit'], message?: RegExp];
const CASES: Record<string, [Case, Expected]> = {
  'no answer, as all jobs together had no memory left': [
    { isHostShort: true, exit: { exitCode: null, signal: SIGKILL } },
    ['crashed', 'ProcessEnded', [], /all jobs of its worker node together/],
  ],
  'a value': [{ result: {} }, ['succeeded', undefined, []]],
  'no value': [{ result: { hasValue: false } }, ['succeeded', undefined, []]],
  'a value, and then os._exit(7)': [{ result: {}, exit: { exitCode: 7 } }, ['succeeded', undefined, []]],
  'a value, and processes left behind': [{ result: {}, exit: { leftovers: 3 } }, ['succeeded', undefined, []]],
  'a value, and a flooded stdout': [{ result: {}, truncated: 'stdout' }, ['succeeded', undefined, ['output']]],
  'a value, and a flooded stderr': [{ result: {}, truncated: 'stderr' }, ['succeeded', undefined, ['output']]],
  'an exception': [{ errorType: 'ValueError' }, ['failed', 'ValueError', [], /^the message$/]],
  'sys.exit(3)': [{ errorType: 'SystemExit' }, ['failed', 'SystemExit', []]],
  'a recursion too deep': [{ errorType: 'RecursionError' }, ['failed', 'RecursionError', []]],
  'a syntax error': [{ errorType: 'SyntaxError' }, ['failed', 'SyntaxError', []]],
  'a refusal by policy': [{ errorType: 'SecurityError' }, ['failed', 'SecurityError', []]],
  'a scratch folder too full': [{ killReason: 'scratch' }, ['failed', 'ScratchExceeded', ['scratch']]],
  'a file too large': [{ errorType: 'OSError', errno: EFBIG }, ['failed', 'OSError', ['file_size']]],
  'a full scratch folder': [{ errorType: 'OSError', errno: ENOSPC }, ['failed', 'OSError', ['scratch']]],
  'too many open files': [{ errorType: 'OSError', errno: EMFILE }, ['failed', 'OSError', ['open_files']]],
  'too many processes': [{ errorType: 'BlockingIOError', errno: EAGAIN }, ['failed', 'BlockingIOError', ['processes']]],
  'another failing system call': [{ errorType: 'FileNotFoundError', errno: ENOENT }, ['failed', 'FileNotFoundError', []]],
  'an exception after a flood': [
    { errorType: 'OSError', errno: EFBIG, truncated: 'stdout' },
    ['failed', 'OSError', ['file_size', 'output']],
  ],
  'an uncaught MemoryError': [{ errorType: 'MemoryError' }, ['out_of_memory', 'MemoryError', ['memory'], /64 MB/]],
  'an uncaught MemoryError with an errno': [{ errorType: 'MemoryError', errno: ENOMEM }, ['out_of_memory', 'MemoryError', ['memory']]],
  'an uncaught MemoryError after a flood': [
    { errorType: 'MemoryError', truncated: 'stderr' },
    ['out_of_memory', 'MemoryError', ['memory', 'output']],
  ],
  'a class whose name only resembles it': [{ errorType: 'MyMemoryError' }, ['failed', 'MyMemoryError', []]],
  'os._exit(0)': [{}, ['crashed', 'ProcessEnded', [], /exit code 0\b/]],
  'os._exit(7)': [{ exit: { exitCode: 7 } }, ['crashed', 'ProcessEnded', [], /exit code 7\b/]],
  'a segfault': [{ exit: { exitCode: null, signal: SIGSEGV } }, ['crashed', 'ProcessEnded', [], /signal 11 \(SIGSEGV\)/]],
  'a kill from elsewhere': [{ exit: { exitCode: null, signal: SIGKILL } }, ['crashed', 'ProcessEnded', [], /signal 9 \(SIGKILL\)/]],
  'an abort': [{ exit: { exitCode: null, signal: SIGABRT } }, ['crashed', 'ProcessEnded', [], /SIG(ABRT|IOT)/]],
  'a real-time signal': [{ exit: { exitCode: null, signal: 63 } }, ['crashed', 'ProcessEnded', [], /signal 63 \(unknown\)/]],
  'the CPU backstop of the kernel': [{ exit: { exitCode: null, signal: SIGXCPU } }, ['cpu_exceeded', 'CpuTimeExceeded', [], /2 s/]],
  'the CPU backstop’s second signal': [
    { exit: { exitCode: null, signal: SIGKILL, cpuMs: 3_000 } },
    ['cpu_exceeded', 'CpuTimeExceeded', []],
  ],
  'exactly its CPU time, then a crash': [{ exit: { exitCode: 1, cpuMs: 2_000 } }, ['crashed', 'ProcessEnded', []]],
  'more than its wall clock': [
    { killReason: 'wall', exit: { exitCode: null, signal: SIGKILL } },
    ['timed_out', 'TimeoutError', [], /1500 ms/],
  ],
  'more than its CPU time': [
    { killReason: 'cpu', exit: { exitCode: null, signal: SIGKILL } },
    ['cpu_exceeded', 'CpuTimeExceeded', [], /2 s/],
  ],
  'more than its memory': [
    { killReason: 'memory', exit: { exitCode: null, signal: SIGKILL } },
    ['out_of_memory', 'MemoryError', ['memory'], /64 MB/],
  ],
  'over its wall clock with CPU to spare or not': [
    { killReason: 'wall', exit: { signal: SIGKILL, cpuMs: 9_999 } },
    ['timed_out', 'TimeoutError', []],
  ],
  'over its wall clock amid a flood': [{ killReason: 'wall', truncated: 'stdout' }, ['timed_out', 'TimeoutError', ['output']]],
  'what its caller cancelled': [{ killReason: 'cancelled', exit: { exitCode: null, signal: SIGKILL } }, ['cancelled', 'Cancelled', []]],
  'forged frames': [{ killReason: 'protocol', exit: { exitCode: null, signal: SIGKILL } }, ['crashed', 'ProtocolError', []]],
  'an answer, and then too much memory': [{ result: {}, killReason: 'memory' }, ['out_of_memory', 'MemoryError', ['memory']]],
  'an answer, and then too much CPU time': [{ result: {}, killReason: 'cpu' }, ['cpu_exceeded', 'CpuTimeExceeded', []]],
  'an answer, and then a scratch folder too full': [{ result: {}, killReason: 'scratch' }, ['failed', 'ScratchExceeded', ['scratch']]],
  'an answer, and too much CPU time before anybody looked': [
    { result: {}, exit: { cpuMs: 2_001 } },
    ['cpu_exceeded', 'CpuTimeExceeded', []],
  ],
  'an exception, and too much CPU time': [{ errorType: 'ValueError', exit: { cpuMs: 2_001 } }, ['cpu_exceeded', 'CpuTimeExceeded', []]],
  'forged frames after an answer': [{ result: {}, killReason: 'protocol' }, ['crashed', 'ProtocolError', []]],
  'killing itself softly': [{ exit: { exitCode: null, signal: SIGTERM } }, ['crashed', 'ProcessEnded', [], /SIGTERM/]],
};

describe('the outcome of code that gave', () => {
  it.each(Object.entries(CASES))('%s', (_, [given, [status, errorType, limitsHit, message]]) => {
    const verdict = judgeRun(reportOf(given), limits);
    expect(verdict.status).toBe(status);
    expect(verdict.error?.type).toBe(errorType);
    expect(verdict.limitsHit).toEqual(limitsHit);
    if (message) expect(verdict.error?.message).toMatch(message);
    // A value belongs to success only; an error to everything else.
    expect(verdict.error === null).toBe(status === 'succeeded');
    expect(verdict.hasValue).toBe(status === 'succeeded' && given.result?.hasValue !== false);
  });

  it('an exception keeps its line and traceback, and no errno', () => {
    expect(judgeRun(reportOf({ errorType: 'OSError', errno: EFBIG }), limits).error).toEqual({
      type: 'OSError',
      message: 'the message',
      line: 3,
      traceback: 'Traceback',
    });
  });
});

describe('a job that is not run', () => {
  it.each(['JOB_SIGNATURE_INVALID', 'JOB_LANE_MISMATCH', 'JOB_EXPIRED', 'PAYLOAD_MISSING', 'POOL_BUSY'] as const)(
    'is rejected with %s',
    (code) => {
      expect(rejected(code, 'why')).toEqual({
        status: 'rejected',
        hasValue: false,
        error: { type: code, message: 'why', line: null, traceback: '' },
        limitsHit: [],
      });
    },
  );

  it.each([
    ['expired', 'expired', /not started/],
    ['lost', 'lost', /may have run/],
    ['exhausted', 'crashed', /3 times/],
    ['abandoned', 'expired', /caller was gone.* again/],
  ] as const)('because it is %s ends %s', (why, status, words) => {
    const verdict = stopped(why, [1, 2, 3].map(attempt));
    expect(verdict).toMatchObject({ status, hasValue: false, limitsHit: [] });
    expect(verdict.error?.message).toMatch(words);
  });

  it.each(['lost', 'exhausted'] as const)('that is %s says what its last node wrote down, and else what nobody knows', (why) => {
    const noted = { ...attempt(2), error: { type: 'LockLost', message: LOSS_MESSAGES.LockLost('press-2') } };
    const [known, unknown] = [stopped(why, [attempt(1), noted]), stopped(why, [attempt(1), attempt(2)])];
    expect(known.error?.message).toContain('worker node press-2 could not renew its lock on the job in time and ended it');
    expect(known.error?.message).not.toMatch(/went down/);
    expect(unknown.error?.message).toContain('worker node press-2 went down or was cut off from Redis');
  });
});

const attempt = (number: number): Attempt => ({ number, worker: `press-${number}`, startedAt: number });

it('every status of the vocabulary is given by one of the cases above', () => {
  const given = new Set([...Object.values(CASES).map(([, [status]]) => status), 'rejected', 'expired', 'lost']);
  expect([...given].sort()).toEqual([...OUTCOME_STATUSES].sort());
});
