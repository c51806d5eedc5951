import { describe, expect, it } from '@jest/globals';
import { BACKOFF_CEILING_MS, MAX_ATTEMPT_MESSAGE, type Job, type OutcomeStatus } from '@python3-cluster/shared';
import { endAttempts, toAttemptError } from './attempt-ends';
import { backoffFor } from './retry-later';
import type { Verdict } from './judge-run';

const verdict = (status: OutcomeStatus): Verdict => ({ status, hasValue: false, error: null, limitsHit: [] });
const job = (change: Partial<Job> = {}): Job =>
  ({
    delivery: 'at-least-once',
    validUntil: 1_000_000,
    startBefore: null,
    retry: { on: ['failed', 'timed_out'], backoffMs: 100 },
    ...change,
  }) as Job;
const backoff = (change: Partial<Job>, status: OutcomeStatus = 'failed', starts = 1, chance = 1): number | undefined =>
  backoffFor(job(change), verdict(status), starts, 0, chance);

describe('the pause before a retry', () => {
  it('doubles with each attempt, and by chance is between half and the whole of that', () => {
    expect([1, 2, 3, 4].map((starts) => backoff({ attempts: 10 }, 'failed', starts))).toEqual([100, 200, 400, 800]);
    expect([0, 0.5, 1].map((chance) => backoff({}, 'failed', 1, chance))).toEqual([50, 75, 100]);
  });

  it('has a ceiling', () => {
    const retry = { on: ['failed'], backoffMs: BACKOFF_CEILING_MS / 2 } as const;
    expect(backoff({ retry, attempts: 10, validUntil: Infinity }, 'failed', 9)).toBe(BACKOFF_CEILING_MS);
  });

  it('may be none', () => {
    expect(backoff({ retry: { on: ['failed'], backoffMs: 0 } })).toBe(0);
  });
});

describe('a job is not retried', () => {
  it.each<[string, Partial<Job>, OutcomeStatus, number]>([
    ['that succeeded', {}, 'succeeded', 1],
    ['on an end it did not name', {}, 'crashed', 1],
    ['that was cancelled', {}, 'cancelled', 1],
    ['that has no starts left', {}, 'failed', 3],
    ['whose one start is over', { attempts: 1 }, 'failed', 1],
    ['that did not ask for it', { retry: undefined as never }, 'failed', 1],
    ['that may be started once only, whatever it says', { delivery: 'at-most-once', attempts: 3 }, 'failed', 1],
    ['whose seal ends before', { validUntil: 99 }, 'failed', 1],
    ['that expires before', { startBefore: 99 }, 'failed', 1],
  ])('%s', (_words, change, status, starts) => {
    expect(backoff(change, status, starts)).toBeUndefined();
  });

  it('but is, up to the very end of its time', () => {
    expect(backoff({ validUntil: 100, startBefore: 100 }, 'timed_out', 2, 0)).toBe(100);
  });
});

describe('the end of an attempt', () => {
  const attempt = { number: 1, worker: 'n', startedAt: 1 };

  it('is that of its run; without one it was lost; what is recorded already stays', () => {
    expect(endAttempts([attempt], verdict('failed'), 5)).toEqual([{ ...attempt, status: 'failed', error: null, finishedAt: 5 }]);
    expect(endAttempts([attempt], undefined, 5)).toEqual([{ ...attempt, status: 'lost' }]);
    const recorded = [{ ...attempt, status: 'timed_out' as const }];
    expect(endAttempts(recorded, undefined, 5)).toEqual(recorded);
    expect(endAttempts([], undefined, 5)).toEqual([]);
  });

  it('has a message of bounded length, without halves of characters', () => {
    const message = `${'x'.repeat(MAX_ATTEMPT_MESSAGE - 1)}\u{1f600}`;
    const error = toAttemptError({ type: '\ud800E', message, line: 1, traceback: 'long' });
    expect(error).toEqual({ type: '\ufffdE', message: `${'x'.repeat(MAX_ATTEMPT_MESSAGE - 1)}\ufffd` });
  });
});
