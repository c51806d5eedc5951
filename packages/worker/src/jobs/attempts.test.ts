import { describe, expect, it } from '@jest/globals';
import {
  createJobId,
  createRedisKeys,
  loadConfig,
  RESTRICTED_MODULES,
  type Attempt,
  type ChildExited,
  type Job,
  type TakeVerdict,
} from '@python3-cluster/shared';
import type { Redis } from 'ioredis';
import { pino } from 'pino';
import type { Child } from '../runner/child';
import { UNTRACED } from './job-trace';
import { CANCEL_REQUESTED, LOCK_LOST } from './abort-reasons';
import { Attempts, type AttemptsEnd, type AttemptTools } from './attempts';

const { config } = loadConfig({});
const job: Job = {
  version: 1, id: createJobId('default'), lane: 'default', kind: 'exec', mode: 'restricted', isolation: 'fresh', delivery: 'at-least-once', owner: 'x',
  limits: { timeoutMs: 60_000, memoryMb: 1_000_000, cpuSeconds: 100_000 }, issuedAt: Date.now(), validUntil: Date.now() + 60_000, startBefore: null,
  resultTtlMs: 60_000, replyTo: null, traceparent: null,
}; // prettier-ignore

type Life = 'answers' | 'crashes' | 'is-dead' | 'dies-with-template' | 'hangs';

/** A child that lives as told; it stands for this very process where its memory is looked at. */
function childOf(life: Life, onKill: () => void): Child {
  const nothing = { bytes: Buffer.alloc(0), truncated: false };
  const exit = (signal: number | null): ChildExited => ({
    type: 'exited', childId: 'c', exitCode: signal === null ? 0 : null, signal, cpuMs: 1, maxRssBytes: 1, leftovers: 0, isEmpty: true,
  }); // prettier-ignore
  let end: ((exit: ChildExited) => void) | undefined;
  const child = {
    pid: process.pid,
    isUndelivered: life === 'is-dead',
    lostWithTemplate: life === 'dies-with-template',
    workspace: { begin: () => undefined, finish: () => ({ stdout: nothing, stderr: nothing }), isMounted: false, scratchPath: '/nowhere' },
    kill: () => {
      onKill();
      end?.(exit(9));
    },
    run: (_request: unknown, _payload: Buffer, { onAnswer, onExited }: Parameters<Child['run']>[2]) => {
      if (life === 'hangs') return void (end = onExited);
      if (life === 'answers')
        onAnswer?.({ result: { status: 'succeeded', hasValue: false, error: null }, value: Buffer.alloc(0) } as never);
      setImmediate(() => onExited?.(exit(life === 'answers' ? null : 11)));
    },
  };
  return child as unknown as Child;
}

interface Scene {
  readonly lives?: readonly Life[];
  /** What the record says, one after the other; the last goes on. */
  readonly verdicts?: readonly TakeVerdict[];
  readonly confirms?: boolean;
  readonly signal?: AbortSignal;
  readonly beforeRun?: (attempts: Attempts) => void;
}

interface Played {
  readonly end: AttemptsEnd;
  readonly starts: number;
  readonly undone: number;
  readonly killed: number;
  readonly givenBack: number;
  readonly traces: number;
  /** Losses noted in the record. */
  readonly noted: readonly string[];
}

async function play({
  lives = ['answers'],
  verdicts = ['start'],
  confirms,
  signal = new AbortController().signal,
}: Scene): Promise<Played> {
  const seen = { starts: 0, undone: 0, killed: 0, givenBack: 0, traces: 1, noted: [] as string[] };
  const attempts: Attempt[] = [];
  let lent = 0;
  const redis = {
    takeJob: () => {
      const verdict = verdicts[Math.min(seen.starts, verdicts.length - 1)];
      seen.starts += 1;
      if (verdict === 'start') attempts.push({ number: attempts.length + 1 } as Attempt);
      return Promise.resolve([verdict, JSON.stringify(attempts)]);
    },
    noteLoss: (_record: string, _token: string, type: string) => Promise.resolve(seen.noted.push(type)),
    undoStart: () => Promise.resolve((seen.undone += 1)),
  };
  const tools: AttemptTools = {
    config,
    redis: redis as unknown as Redis,
    keys: createRedisKeys('t'),
    templates: { takeChild: () => Promise.resolve(childOf(lives[Math.min(lent++, lives.length - 1)] ?? 'answers', () => (seen.killed += 1))) },
    warm: {
      lend: async (_job, _payload, takeFresh) => ({
        child: await takeFresh(), isWarm: false, keep: false, cpuBaselineMs: 0, giveBack: () => void (seen.givenBack += 1),
      }),
    },
    feed: { during: (_id, _attempt, _workspace, run) => run() },
    replicas: confirms === undefined ? undefined : { confirm: () => Promise.resolve(confirms) },
    workerId: 'w',
    allowedModules: RESTRICTED_MODULES,
    processLimit: { current: 64 },
    logger: pino({ level: 'silent' }),
  }; // prettier-ignore
  const trace = { ...UNTRACED, again: () => void (seen.traces += 1) };
  const received = { lane: 'default', jobId: job.id, entry: {}, isRedelivered: false, signal };
  const end = await new Attempts(tools).run({ received, job, payload: Buffer.from('{}'), trace });
  return { end, ...seen };
}

describe('the attempts at a job', () => {
  it('are one where its code comes to an end', async () => {
    const { end, ...seen } = await play({});
    expect(end).toMatchObject({ kind: 'ended', verdict: { status: 'succeeded' }, isWarm: false });
    expect(seen).toEqual({ starts: 1, undone: 0, killed: 0, givenBack: 1, traces: 1, noted: [] });
  });

  it('are one where its code crashes: that is an outcome', async () => {
    expect(await play({ lives: ['crashes'] })).toMatchObject({ end: { kind: 'ended', verdict: { status: 'crashed' } }, starts: 1 });
  });

  it('go on with another child where one was dead before it had the job, as the same start', async () => {
    expect(await play({ lives: ['is-dead', 'is-dead', 'answers'] })).toMatchObject({ end: { kind: 'ended' }, starts: 1, traces: 1 });
  });

  it('end where children keep being dead', async () => {
    expect(await play({ lives: ['is-dead'] })).toMatchObject({ end: { kind: 'ended', verdict: { status: 'crashed' } }, starts: 1 });
  });

  it('are another start where the template went down under it, with a trace of its own', async () => {
    expect(await play({ lives: ['dies-with-template', 'answers'] })).toMatchObject({
      end: { kind: 'ended' },
      starts: 2,
      traces: 2,
      noted: ['TemplateLost'],
    });
  });

  it('tell that each start took a template down, where that was so', async () => {
    const verdicts = ['start', 'start', 'exhausted'] as const;
    expect(await play({ lives: ['dies-with-template'], verdicts })).toMatchObject({
      end: { kind: 'not-started', tookTemplatesDown: true, taken: { verdict: 'exhausted' } },
      starts: 3,
    });
  });

  it.each<TakeVerdict>(['cancel', 'early', 'lost', 'unheld', 'finished'])('are none where the record says “%s”, and the child is ended', async (verdict) => {
    expect(await play({ verdicts: [verdict] })).toMatchObject({
      end: { kind: 'not-started', tookTemplatesDown: false, taken: { verdict } }, killed: 1, givenBack: 0,
    });
  }); // prettier-ignore

  it('are taken back where no replica confirms the start', async () => {
    expect(await play({ confirms: false })).toMatchObject({ end: { kind: 'unconfirmed' }, undone: 1, killed: 1 });
    expect(await play({ confirms: true })).toMatchObject({ end: { kind: 'ended' }, undone: 0 });
  });

  it('are none where the lock was lost before, and not even the record is asked', async () => {
    expect(await play({ signal: AbortSignal.abort(LOCK_LOST) })).toMatchObject({ end: { kind: 'taken-away' }, starts: 0, killed: 1 });
  });

  it('ask the record where the job is being cancelled: it has the last word', async () => {
    const { end } = await play({ signal: AbortSignal.abort(CANCEL_REQUESTED), verdicts: ['cancel'] });
    expect(end).toMatchObject({ kind: 'not-started', taken: { verdict: 'cancel' } });
  });

  it.each([
    [LOCK_LOST, { kind: 'taken-away' }, ['LockLost']],
    [CANCEL_REQUESTED, { kind: 'ended', verdict: { status: 'cancelled' } }, []],
  ])('end what runs when told to (%s)', async (reason, end, noted) => {
    const aborter = new AbortController();
    const playing = play({ lives: ['hangs'], signal: aborter.signal });
    setImmediate(() => setImmediate(() => aborter.abort(reason)));
    expect(await playing).toMatchObject({ end, noted });
  });
});
