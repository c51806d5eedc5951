import { randomBytes } from 'node:crypto';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import {
  connectRedis, createJobId, createRedisKeys, defineJobCommands, finishJobKeys, formatTally, KeyRing, LargeContent, MAX_PUBLISHED_BYTES, MAX_STARTS, openOutcome, sealAttemptEnd, sealJobHead,
  type Delivery, type Job, type Outcome, type RedisKeys,
} from '@python3-cluster/shared'; // prettier-ignore
import type { Redis } from 'ioredis';
import { pino } from 'pino';
import { OutcomeWriter } from '../jobs/outcome-writer';
import { Reconciler } from './reconciler';

const TALLY = formatTally({ status: 'succeeded', kind: 'exec', worker: 'node-1' });

const keyRing = new KeyRing('k'.repeat(32));
const logger = pino({ level: 'silent' });
let redis: Redis;
let keys: RedisKeys;
let reconciler: Reconciler;

beforeAll(() => {
  const url = process.env['PYTHON3_TEST_REDIS_URL'] ?? '';
  redis = defineJobCommands(connectRedis(url, { profile: 'patient', name: 'test', onError: () => undefined }));
});
beforeEach(() => {
  keys = createRedisKeys(`t-${randomBytes(5).toString('hex')}`);
  reconciler = create({ ageMs: 0, confirmMs: 0 });
});
afterEach(async () => {
  await redis.del(keys.openJobs('default'));
});
afterAll(async () => {
  await redis.quit();
});

function create(times: { ageMs?: number; confirmMs?: number }): Reconciler {
  const outcomes = new OutcomeWriter({ redis, large: new LargeContent(redis), keys, keyRing, workerId: 'node-1', level: 'D', logger });
  return new Reconciler({ redis, keys, keyRing, outcomes, workerId: 'node-1', logger, ...times });
}

async function accept(delivery: Delivery = 'at-least-once', change: Partial<Job> = {}): Promise<Job> {
  const job: Job = {
    version: 1, id: createJobId('default'), lane: 'default', kind: 'exec', mode: 'restricted', isolation: 'fresh', delivery, owner: 'x',
    limits: { timeoutMs: 1_000, memoryMb: 64, cpuSeconds: 1 }, issuedAt: Date.now() - 10, validUntil: Date.now() + 60_000, startBefore: null,
    resultTtlMs: 60_000, replyTo: null, traceparent: null, ...change,
  }; // prettier-ignore
  await redis.hset(keys.jobRecord('default', job.id), 'job', sealJobHead(keyRing, job), 'state', 'waiting');
  await redis.pexpire(keys.jobRecord('default', job.id), 60_000);
  await redis.zadd(keys.openJobs('default'), job.issuedAt, job.id);
  return job;
}

const start = (job: Job, token = 'worker-token') =>
  redis.takeJob(keys.jobRecord('default', job.id), token, 'node-0', Date.now(), job.delivery, MAX_STARTS, 'run');
const finish = (job: Job, token: string) =>
  redis.finishJob(...finishJobKeys(keys, 'default', job.id), token, Buffer.from('late'), 60_000, '', job.id, MAX_PUBLISHED_BYTES, TALLY);
const isOpen = async (job: Job): Promise<boolean> => (await redis.zscore(keys.openJobs('default'), job.id)) !== null;

async function outcomeOf(job: Job): Promise<Outcome | undefined> {
  const sealed = await redis.hgetBuffer(keys.jobRecord('default', job.id), 'outcome');
  return sealed === null ? undefined : openOutcome(keyRing, job.id, sealed)?.outcome;
}

describe('a job whose queue entry is gone', () => {
  it.each<[string, Delivery, number, object]>([
    ['never started', 'at-least-once', 0, { status: 'crashed', error: { type: 'QueueEntryLost', message: expect.stringContaining('was not started') } }],
    ['never started', 'at-most-once', 0, { status: 'lost', error: { type: 'QueueEntryLost', message: expect.stringContaining('was not started') } }],
    ['started once', 'at-least-once', 1, { status: 'crashed', error: { type: 'QueueEntryLost', message: expect.stringContaining('started once') } }],
    ['started once', 'at-most-once', 1, { status: 'lost', error: { type: 'WorkerLost' } }],
    ['started three times', 'at-least-once', 3, { status: 'crashed', error: { type: 'WorkerLost', message: expect.stringContaining('3 times') } }],
  ])('%s, %s, gets its signed outcome', async (_, delivery, starts, expected) => {
    const job = await accept(delivery);
    for (let count = 0; count < starts; count += 1) await start(job, `t${count}`);
    await reconciler.run(['default']);
    const outcome = await outcomeOf(job);
    expect(outcome).toMatchObject(expected);
    expect(outcome?.attempts).toHaveLength(starts);
    expect(await isOpen(job)).toBe(false);
  }); // prettier-ignore

  it('while a retry was due ends as its last attempt did, but not as somebody says it did', async () => {
    const retry = { on: ['failed'], backoffMs: 60_000 } as const;
    const [believed, forged] = [await accept('at-least-once', { retry }), await accept('at-least-once', { retry })];
    for (const job of [believed, forged]) {
      await start(job);
      const end = {
        outcome: {
          version: 1, jobId: job.id, status: 'failed', hasValue: false, error: { type: 'E', message: 'm', line: 1, traceback: 't' },
          truncated: false, limitsHit: [], timings: { queuedMs: 1, runMs: 2, totalMs: 3, cpuMs: 1, maxMemoryBytes: 1 }, worker: 'node-0',
          level: 'D', attempts: [{ number: 1, worker: 'node-0', startedAt: 1 }], finishedAt: 5,
        },
        value: Buffer.alloc(0), stdout: Buffer.from('said'), stderr: Buffer.alloc(0),
      } as const; // prettier-ignore
      const sealed = sealAttemptEnd(job === believed ? keyRing : new KeyRing('x'.repeat(32)), end);
      const record = keys.jobRecord('default', job.id);
      expect(await redis.retryJob(record, 'worker-token', JSON.stringify({ status: 'failed', finishedAt: 5 }), 60_000, sealed)).toBe(
        'retry',
      );
    }
    await reconciler.run(['default']);
    expect(await outcomeOf(believed)).toMatchObject({
      status: 'failed',
      error: { message: 'm' },
      worker: 'node-1',
      attempts: [{ status: 'failed' }],
    });
    expect(await outcomeOf(forged)).toMatchObject({
      status: 'crashed',
      error: { type: 'QueueEntryLost' },
      attempts: [{ status: 'failed' }],
    });
    expect([await isOpen(believed), await isOpen(forged)]).toEqual([false, false]);
  });

  it('and was to be started once only is out of starts', async () => {
    const job = await accept('at-least-once', { attempts: 1 });
    await start(job);
    await reconciler.run(['default']);
    expect(await outcomeOf(job)).toMatchObject({ status: 'crashed', error: { type: 'WorkerLost' }, attempts: [{ status: 'lost' }] });
  });

  it('is settled once, and what its lost attempt writes late is ignored', async () => {
    const job = await accept();
    await start(job);
    await Promise.all([reconciler, create({ ageMs: 0, confirmMs: 0 })].map((each) => each.run(['default'])));
    const outcome = await outcomeOf(job);
    expect(await finish(job, 'worker-token')).toBe('finished');
    expect(await outcomeOf(job)).toEqual(outcome);
  });

  it('that finished while it was looked at keeps its own outcome', async () => {
    const job = await accept();
    await start(job);
    await Promise.all([finish(job, 'worker-token'), reconciler.run(['default'])]);
    expect(await redis.hget(keys.jobRecord('default', job.id), 'state')).toBe('finished');
    expect(await isOpen(job)).toBe(false);
    expect(Number(await redis.zcard(keys.outcomeExpiry('default')))).toBe(1);
  });
});

describe('left alone', () => {
  it('are jobs that the queue knows', async () => {
    const job = await accept();
    await redis.hset(keys.queueEntry('default', job.id), 'data', '{}');
    await reconciler.run(['default']);
    expect([await outcomeOf(job), await isOpen(job)]).toEqual([undefined, true]);
  });

  it('are young jobs', async () => {
    const job = await accept();
    reconciler = create({ ageMs: 60_000, confirmMs: 0 });
    await reconciler.run(['default']);
    expect([await outcomeOf(job), await isOpen(job)]).toEqual([undefined, true]);
  });

  it('are jobs found only once, or whose entry was there again in between', async () => {
    const job = await accept();
    reconciler = create({ ageMs: 0, confirmMs: 50 });
    await reconciler.run(['default']);
    await redis.hset(keys.queueEntry('default', job.id), 'data', '{}');
    await new Promise((resolve) => setTimeout(resolve, 60));
    await reconciler.run(['default']);
    await redis.del(keys.queueEntry('default', job.id));
    await reconciler.run(['default']);
    expect(await outcomeOf(job)).toBe(undefined);
    await new Promise((resolve) => setTimeout(resolve, 60));
    await reconciler.run(['default']);
    expect(await outcomeOf(job)).toMatchObject({ status: 'crashed' });
  });
});

describe('the index of open jobs', () => {
  it('loses entries whose record is gone, and such that the API never signed', async () => {
    const withdrawn = await accept();
    await redis.del(keys.jobRecord('default', withdrawn.id));
    const forged = await accept();
    await redis.hset(keys.jobRecord('default', forged.id), 'job', 'forged');
    await reconciler.run(['default']);
    expect([await isOpen(withdrawn), await isOpen(forged)]).toEqual([false, false]);
    expect(await redis.hexists(keys.jobRecord('default', forged.id), 'outcome')).toBe(0);
  });

  it('is walked in bounded passes, until every stray among thousands is settled', async () => {
    const pipeline = redis.pipeline();
    for (let index = 0; index < 12_000; index += 1) {
      const id = createJobId('default');
      pipeline.hset(keys.jobRecord('default', id), 'job', 'x', 'state', 'waiting');
      pipeline.pexpire(keys.jobRecord('default', id), 60_000);
      pipeline.hset(keys.queueEntry('default', id), 'data', '{}');
      pipeline.pexpire(keys.queueEntry('default', id), 60_000);
      pipeline.zadd(keys.openJobs('default'), Date.now() - 1_000, id);
    }
    await pipeline.exec();
    const strays = await Promise.all(Array.from({ length: 300 }, () => accept()));
    let passes = 0;
    for (; (await Promise.all(strays.map(isOpen))).some(Boolean) && passes < 20; passes += 1) await reconciler.run(['default']);
    expect(passes).toBeGreaterThan(1);
    expect(passes).toBeLessThan(20);
    for (const stray of strays) expect(await outcomeOf(stray)).toMatchObject({ status: 'crashed' });
  });
});
