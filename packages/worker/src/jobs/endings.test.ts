import { describe, expect, it } from '@jest/globals';
import { createJobId, createRedisKeys, KeyRing, type Job, type TakeVerdict } from '@python3-cluster/shared';
import type { Redis } from 'ioredis';
import { pino } from 'pino';
import { UNTRACED } from './job-trace';
import { closingOf } from './admit-job';
import type { EndedRun } from './attempts';
import { Endings } from './endings';
import { stopped } from './judge-run';
import type { OutcomeWriter, PreparedOutcome } from './outcome-writer';
import type { TakenJob } from './take-job';

const job: Job = {
  version: 1, id: createJobId('default'), lane: 'default', kind: 'exec', mode: 'restricted', isolation: 'fresh', delivery: 'at-least-once', owner: 'x',
  limits: { timeoutMs: 1_000, memoryMb: 64, cpuSeconds: 1 }, issuedAt: Date.now(), validUntil: Date.now() + 60_000, startBefore: null,
  resultTtlMs: 60_000, replyTo: null, traceparent: null,
}; // prettier-ignore
const outcome = {} as PreparedOutcome;
const taken = (verdict: TakeVerdict, starts = 0): TakenJob => ({
  verdict, token: 't', attempts: Array.from({ length: starts }, (_, position) => ({ number: position + 1, worker: 'w', startedAt: 0 })), leftMs: 0,
}); // prettier-ignore

/** Endings over a record that says `verdict`, and what outcomes are made of. */
function play(verdict: TakeVerdict, retryAnswer = 'retry') {
  const statuses: string[] = [];
  const logged: string[] = [];
  const logger = pino(
    { level: 'info' },
    { write: (line: string) => void logged.push(String((JSON.parse(line) as { errorCode?: string }).errorCode ?? 'info')) },
  );
  const redis = {
    takeJob: () => Promise.resolve([verdict, '[]']),
    retryJob: () => Promise.resolve(retryAnswer),
  } as unknown as Redis;
  const outcomes = {
    prepare: (_target: unknown, given: { status: string }) => {
      statuses.push(given.status);
      return Promise.resolve(outcome);
    },
    compose: () => ({
      outcome: { worker: 'w', jobId: job.id, attempts: [], finishedAt: 1 },
      value: Buffer.alloc(0),
      stdout: Buffer.alloc(0),
      stderr: Buffer.alloc(0),
    }),
  } as unknown as OutcomeWriter;
  const endings = new Endings({ redis, keys: createRedisKeys('t'), keyRing: new KeyRing('k'.repeat(32)), outcomes, workerId: 'w', logger });
  return { endings, statuses, logged };
}

const received = (isRedelivered = false) => ({
  lane: 'default',
  jobId: job.id,
  entry: {},
  isRedelivered,
  signal: new AbortController().signal,
});

const runnable = (of: Job) => ({ received: received(), job: of, payload: Buffer.alloc(0), trace: UNTRACED });

describe('a job that is closed', () => {
  it.each<[TakeVerdict, string]>([
    ['close', 'expired'],
    ['exhausted', 'expired'],
    ['cancel', 'cancelled'],
    ['lost', 'lost'],
    ['abandoned', 'expired'],
    ['damaged', 'rejected'],
  ])('has its outcome where the record says “%s”: %s', async (verdict, status) => {
    const { endings, statuses } = play(verdict);
    expect(await endings.close(received(), closingOf(job, stopped('expired')), UNTRACED)).toEqual({ kind: 'done', outcome });
    expect(statuses).toEqual([status]);
  });

  it('is somebody else’s where the lock is no longer ours', async () => {
    const { endings, statuses } = play('unheld');
    expect([await endings.close(received(), closingOf(job, stopped('expired')), UNTRACED), statuses]).toEqual([{ kind: 'lost' }, []]);
  });

  it.each<[TakeVerdict, boolean, string]>([
    ['cancelled', false, 'info'],
    ['finished', true, 'info'],
    ['finished', false, 'JOB_REPLAYED'],
    ['unknown', false, 'JOB_REPLAYED'],
  ])('keeps the outcome that stands (%s, redelivered: %s), and logs %s', async (verdict, isRedelivered, word) => {
    const { endings, statuses, logged } = play(verdict);
    expect(await endings.close(received(isRedelivered), closingOf(job, stopped('expired')), UNTRACED)).toEqual({ kind: 'done' });
    expect([statuses, logged]).toEqual([[], [word]]);
  });
});

describe('a job that may not start again', () => {
  it('ends exhausted, or as its record says', async () => {
    const { endings, statuses } = play('close');
    await endings.exhaust(runnable(job), taken('exhausted', 3));
    await endings.exhaust(runnable(job), taken('lost', 1));
    expect(statuses).toEqual(['crashed', 'lost']);
  });
});

describe('a job that has run', () => {
  const run = (): EndedRun =>
    ({
      kind: 'ended',
      verdict: { status: 'failed', hasValue: false, error: null, limitsHit: [] },
      report: {},
      taken: taken('start', 1),
      isWarm: true,
    }) as unknown as EndedRun;
  const retrying: Job = { ...job, attempts: 3, retry: { on: ['failed'], backoffMs: 1_000 } };

  it('has its outcome', async () => {
    const { endings, statuses } = play('start');
    expect([await endings.conclude(runnable(job), run()), statuses]).toEqual([{ kind: 'done', outcome }, ['failed']]);
  });

  it('comes later where it is to be tried again', async () => {
    const { endings, statuses } = play('start');
    const processed = await endings.conclude(runnable(retrying), run());
    expect([processed, statuses]).toEqual([{ kind: 'later', notBefore: expect.closeTo(Date.now() + 750, -3) }, []]);
  });

  it('has its outcome all the same where the record does not let it be tried again', async () => {
    const { endings, statuses } = play('start', 'cancelled');
    expect([await endings.conclude(runnable(retrying), run()), statuses]).toEqual([{ kind: 'done', outcome }, ['failed']]);
  });
});
