import { randomBytes } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import {
  ClusterError,
  createJobId,
  createRedisKeys,
  KeyRing,
  loadConfig,
  sealJob,
  type IsolationLevel,
  type Job,
} from '@python3-cluster/shared';
import type { Redis } from 'ioredis';
import { pino } from 'pino';
import type { Slot } from '../pool/pool';
import type { Admission } from '../quarantine/quarantine';
import { LOCK_LOST, NODE_STOPPING } from './abort-reasons';
import type { Closing } from './admit-job';
import type { AttemptsEnd } from './attempts';
import { JobProcessor } from './process-job';
import type { Processed } from './processed';
import type { TakenJob } from './take-job';

const { config } = loadConfig({});
const keyRing = new KeyRing('k'.repeat(32));
const keys = createRedisKeys('t');
const logger = pino({ level: 'silent' });
const slot = {} as Slot;

const jobWith = (fields: Partial<Job> = {}): Job => ({
  version: 1, id: createJobId('default'), lane: 'default', kind: 'exec', mode: 'restricted', isolation: 'fresh', delivery: 'at-least-once', owner: 'x',
  limits: { timeoutMs: 1_000, memoryMb: 64, cpuSeconds: 1 }, issuedAt: Date.now(), validUntil: Date.now() + 60_000, startBefore: null,
  resultTtlMs: 60_000, replyTo: null, traceparent: null, ...fields,
}); // prettier-ignore

const taken = (verdict: TakenJob['verdict'], leftMs = 0): TakenJob => ({ verdict, token: 't', attempts: [], leftMs });
const ended = (status: 'succeeded' | 'timed_out'): AttemptsEnd =>
  ({
    kind: 'ended',
    verdict: { status, hasValue: false, error: null, limitsHit: [] },
    report: {},
    taken: taken('start'),
    isWarm: false,
  }) as unknown as AttemptsEnd;

/** What Redis answers where a job was handed back for the first time. */
const COUNTED = () => [
  [null, 1],
  [null, 1],
  [null, String(Date.now())],
  [null, 1],
];

interface Scene {
  readonly job?: Job;
  readonly entry?: unknown;
  readonly level?: IsolationLevel;
  readonly signing?: 'fits' | 'foreign';
  readonly head?: Buffer | null;
  readonly borrow?: () => Promise<Slot>;
  readonly admission?: Admission;
  readonly end?: AttemptsEnd | Error;
  readonly signal?: AbortSignal;
}

interface Played {
  readonly processed: Processed | Error;
  /** What was called, in order. */
  readonly steps: readonly string[];
  readonly closing: Closing | undefined;
}

/** One job's way with its collaborators played: what each is asked, and in which order. */
async function play(scene: Scene = {}): Promise<Played> {
  const { job = jobWith(), level = 'A', admission = { isAdmitted: true }, end = ended('succeeded') } = scene;
  const steps: string[] = [];
  let closing: Closing | undefined;
  const tell = (step: string): void => void steps.push(step);
  const done = (step: string): Promise<Processed> => {
    tell(step);
    return Promise.resolve({ kind: 'done' });
  };
  const counting = {
    hincrby: () => counting,
    hsetnx: () => counting,
    hget: () => counting,
    pexpire: () => counting,
    exec: () => Promise.resolve(COUNTED()),
  };
  const redis = { hgetBuffer: () => Promise.resolve(scene.head ?? null), multi: () => counting } as unknown as Redis;
  const processor = new JobProcessor({
    admission: {
      config,
      redis,
      large: { read: () => Promise.resolve(undefined) },
      keys,
      keyRing,
      level,
      logger,
      signing: { now: () => Promise.resolve(scene.signing ?? 'fits') },
    },
    pool: {
      borrow: () => {
        tell('borrow');
        return scene.borrow?.() ?? Promise.resolve(slot);
      },
      release: () => tell('release'),
    },
    programs: { note: () => Promise.resolve() },
    quarantine: {
      admit: () => Promise.resolve(admission),
      settle: (_job, _payload, _admission, status) => {
        tell(`evidence ${status ?? 'none'}`);
        return Promise.resolve();
      },
    },
    attempts: {
      run: () => {
        tell('run');
        return end instanceof Error ? Promise.reject(end) : Promise.resolve(end);
      },
    },
    endings: {
      close: (_received, given) => {
        closing = given;
        return done(`close ${given.verdict.status}`);
      },
      conclude: (_runnable, { verdict }) => done(`conclude ${verdict.status}`),
      exhaust: (_runnable, { verdict }) => done(`exhaust ${verdict}`),
    },
  });
  const entry = 'entry' in scene ? scene.entry : { sealed: sealJob(keyRing, job, Buffer.from('{}')).toString('utf8') };
  const signal = scene.signal ?? new AbortController().signal;
  const processed = await processor
    .process({ lane: 'default', jobId: job.id, entry, isRedelivered: false, signal })
    .catch((error: unknown) => error as Error);
  return { processed, steps, closing };
}

const DONE = { kind: 'done' };

describe('a job on its way through a worker node', () => {
  it('gets a slot, is run, tells what that says of its program, and has its outcome', async () => {
    expect(await play()).toMatchObject({
      processed: DONE,
      steps: ['borrow', 'run', 'evidence succeeded', 'conclude succeeded', 'release'],
    });
  });

  it.each<[string, Scene, string]>([
    ['an entry no API replica writes', { entry: { anything: 1 } }, 'JOB_SIGNATURE_INVALID'],
    ['content somebody has changed', { entry: { sealed: `1.x.${randomBytes(32).toString('base64url')}\n{}` } }, 'JOB_SIGNATURE_INVALID'],
    ['another lane', { job: jobWith({ lane: 'other' }) }, 'JOB_LANE_MISMATCH'],
    ['nothing that contains its code', { level: 'D' }, 'ISOLATION_INSUFFICIENT'],
  ])('is refused for %s, without a slot', async (_, scene, code) => {
    const { steps, closing } = await play(scene);
    expect([steps, closing?.verdict.error?.type]).toEqual([['close rejected'], code]);
  });

  it('goes to another node where this one has not got the cluster’s key, and is refused where it has', async () => {
    const entry = { sealed: sealJob(new KeyRing('x'.repeat(32)), jobWith(), Buffer.from('{}')).toString('utf8') };
    expect((await play({ entry, signing: 'foreign' })).processed).toMatchObject({ kind: 'later' });
    expect((await play({ entry, signing: 'fits' })).steps).toEqual(['close rejected']);
  });

  it('is not refused for level D in ADMIN mode', async () => {
    expect((await play({ level: 'D', job: jobWith({ mode: 'admin' }) })).steps).toContain('run');
  });

  it('goes back until its time has come', async () => {
    const startAfter = Date.now() + 60_000;
    const { processed, steps } = await play({ job: jobWith({ startAfter }) });
    expect([(processed as { notBefore: number }).notBefore, steps]).toEqual([expect.closeTo(startAfter, -3), []]);
  });

  it('expires where its caller has gone, before and after the wait for a slot', async () => {
    expect((await play({ job: jobWith({ startBefore: Date.now() - 1 }) })).steps).toEqual(['close expired']);
    const startBefore = Date.now() + 100;
    const slow = (): Promise<Slot> => new Promise((resolve) => setTimeout(() => resolve(slot), Math.max(0, startBefore - Date.now()) + 5));
    expect((await play({ job: jobWith({ startBefore }), borrow: slow })).steps).toEqual(['borrow', 'close expired', 'release']);
  });

  it('waits on where every slot is held, and is refused where its caller will not wait', async () => {
    const busy = (): Promise<Slot> => Promise.reject(new ClusterError('POOL_BUSY'));
    expect(await play({ borrow: busy })).toMatchObject({ processed: { kind: 'busy' }, steps: ['borrow'] });
    const waited = jobWith({ startBefore: Date.now() + 60_000, replyTo: 'c', delivery: 'at-most-once' });
    expect((await play({ borrow: busy, job: waited })).steps).toEqual(['borrow', 'close rejected']);
  });

  it('is a failure of ours where the pool fails otherwise', async () => {
    expect((await play({ borrow: () => Promise.reject(new Error('broken')) })).processed).toEqual(new Error('broken'));
  });

  it('is refused where its program is quarantined, and gives its slot back', async () => {
    const { steps, closing } = await play({ admission: { isAdmitted: false, message: 'quarantined' } });
    expect([steps, closing?.verdict.error?.type]).toEqual([['borrow', 'close rejected', 'release'], 'PROGRAM_QUARANTINED']);
  });

  it.each<[string, AttemptsEnd, Processed, readonly string[]]>([
    ['its run broke a limit', ended('timed_out'), { kind: 'done' }, ['evidence timed_out', 'conclude timed_out']],
    ['its record says that it was started too often', { kind: 'not-started', taken: taken('exhausted'), tookTemplatesDown: false }, { kind: 'done' }, ['exhaust exhausted']],
    ['each of its starts took a template down', { kind: 'not-started', taken: taken('exhausted'), tookTemplatesDown: true }, { kind: 'done' }, ['evidence crashed', 'exhaust exhausted']],
    ['it was cancelled before its start', { kind: 'not-started', taken: taken('cancel'), tookTemplatesDown: false }, { kind: 'done' }, ['exhaust cancel']],
    ['no replica confirms the start', { kind: 'unconfirmed' }, { kind: 'busy' }, []],
  ])('where %s', async (_, end, processed, steps) => {
    expect(await play({ end })).toMatchObject({ processed, steps: ['borrow', 'run', ...steps, 'release'] });
  }); // prettier-ignore

  it('goes back where its caller has let go of it for the moment', async () => {
    const { processed } = await play({ end: { kind: 'not-started', taken: taken('lapsed', 4_000), tookTemplatesDown: false } });
    expect(processed).toEqual({ kind: 'later', notBefore: expect.closeTo(Date.now() + 4_000, -3) });
  });

  it('goes back where its record says that it came too early', async () => {
    const { processed } = await play({ end: { kind: 'not-started', taken: taken('early', 60_000), tookTemplatesDown: false } });
    expect(processed).toEqual({ kind: 'later', notBefore: expect.closeTo(Date.now() + 60_000, -3) });
  });

  it.each([
    [LOCK_LOST, 'lost'],
    [NODE_STOPPING, 'stopped'],
  ])('taken away (%s) it leaves nothing to be written, and no evidence', async (reason, kind) => {
    const signal = AbortSignal.abort(reason);
    expect(await play({ end: { kind: 'taken-away' }, signal })).toMatchObject({ processed: { kind }, steps: ['borrow', 'run', 'release'] });
  });

  it('speaks neither for nor against its program where the lock was lost as it ended', async () => {
    const { steps } = await play({ end: ended('timed_out'), signal: AbortSignal.abort(LOCK_LOST) });
    expect(steps).toEqual(['borrow', 'run', 'conclude timed_out', 'release']);
  });

  it('lets others try a quarantined program where its trial did not run, or failed over us', async () => {
    const admission = { isAdmitted: true, trialOf: {} } as unknown as Admission;
    expect((await play({ admission, end: { kind: 'unconfirmed' } })).steps).toEqual(['borrow', 'run', 'evidence none', 'release']);
    expect((await play({ admission, end: new Error('fork') })).steps).toEqual(['borrow', 'run', 'evidence none', 'release']);
    expect((await play({ admission })).steps).toEqual(['borrow', 'run', 'evidence succeeded', 'conclude succeeded', 'release']);
  });

  it('gives its slot back where the attempts fail', async () => {
    const { processed, steps } = await play({ end: new Error('fork') });
    expect([processed, steps]).toEqual([new Error('fork'), ['borrow', 'run', 'release']]);
  });
});
