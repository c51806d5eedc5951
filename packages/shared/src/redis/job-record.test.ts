import { randomBytes } from 'node:crypto';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import type { Redis } from 'ioredis';
import { waitFor } from '../../../../test/support/wait-for';
import { connectForRecords, RecordUnderTest } from '../../test/record-under-test';
import { createJobId } from '../jobs/job-id';
import { defineHoldCommand, HOLD_GRACE_MS } from './caller-hold';
import { finishJobKeys, MAX_PUBLISHED_BYTES, RECORD_FIELDS } from './job-record';
import { LargeContent, PIECE_BYTES } from './large-content';
import { createRedisKeys } from '../redis-layout/redis-keys';

const namespace = `t-${randomBytes(5).toString('hex')}`;
const keys = createRedisKeys(namespace);

let redis: Redis;
beforeAll(() => {
  redis = connectForRecords(process.env['PYTHON3_TEST_REDIS_URL']);
});
afterEach(async () => {
  const left = await redis.keys(`${namespace}:*`);
  if (left.length > 0) await redis.del(...left);
});
afterAll(async () => {
  await redis.quit();
});

const newRecord = (): RecordUnderTest => new RecordUnderTest(redis, keys);

describe('a job record', () => {
  it('goes from waiting to active to finished', async () => {
    const record = await newRecord().accept();
    expect(await record.take('t1', { now: 1_732_345_678_901 })).toMatchObject({
      verdict: 'start',
      attempts: [{ number: 1, worker: 'node-1', startedAt: 1_732_345_678_901 }],
    });
    expect(await record.read()).toMatchObject({ job: 'head', state: 'active', token: 't1' });
    expect(await record.finish('t1')).toBe('written');
    expect(await record.read()).toMatchObject({ job: 'head', state: 'finished', outcome: 'outcome' });
  });

  it('that was never accepted is unknown, and nothing is written for it', async () => {
    const record = newRecord();
    expect(await record.take('t1')).toMatchObject({ verdict: 'unknown', attempts: [] });
    expect(await record.finish('')).toBe('unknown');
    expect(await record.finish('t1', 'x', keys.replyChannel('r'))).toBe('unknown');
    expect(await redis.exists(record.key)).toBe(0);
  });

  it('delivered again is started again, with a new token and another attempt', async () => {
    const record = await newRecord().accept();
    await record.take('t1');
    const { verdict, attempts } = await record.take('t2', { worker: 'node-2' });
    expect(verdict).toBe('start');
    expect(attempts.map(({ number, worker, status }) => [number, worker, status])).toEqual([
      [1, 'node-1', 'lost'],
      [2, 'node-2', undefined],
    ]);
    expect(await record.finish('t1')).toBe('stale');
    expect(await record.read()).toMatchObject({ state: 'active', token: 't2' });
    expect(await record.finish('t2')).toBe('written');
  });

  it('is exhausted after three starts, and whoever learns that may write it', async () => {
    const record = await newRecord().accept();
    for (const token of ['t1', 't2', 't3']) expect((await record.take(token)).verdict).toBe('start');
    const fourth = await record.take('t4');
    expect(fourth.verdict).toBe('exhausted');
    expect(fourth.attempts).toHaveLength(3);
    expect(await record.finish('t3')).toBe('stale');
    expect(await record.finish('t4', 'exhausted')).toBe('written');
    expect(await record.read()).toMatchObject({ outcome: 'exhausted' });
  });

  it('with at-most-once is lost at its second delivery, and never started again', async () => {
    const record = await newRecord().accept();
    expect((await record.take('t1', { delivery: 'at-most-once' })).verdict).toBe('start');
    for (const token of ['t2', 't3']) {
      const again = await record.take(token, { delivery: 'at-most-once' });
      expect(again.verdict).toBe('lost');
      expect(again.attempts).toHaveLength(1);
    }
    expect(await record.finish('t1')).toBe('stale');
    expect(await record.finish('t2')).toBe('stale');
    expect(await record.finish('t3', 'lost')).toBe('written');
  });

  it('whose caller waits starts while it is held, and is put back when it is not', async () => {
    const record = await newRecord().accept();
    await record.holdFor(60_000);
    expect((await record.take('t1', { intent: 'run-held' })).verdict).toBe('start');
    await record.holdFor(-1);
    expect(await record.take('t2', { intent: 'run-held' })).toMatchObject({ verdict: 'lapsed', leftMs: 500 });
    // Nothing has changed: the attempt that runs is not fenced off by who only looked.
    expect(await record.read()).toMatchObject({ token: 't1', state: 'active' });
    // Jobs that nobody holds are not asked.
    expect((await record.take('t3')).verdict).toBe('start');
    // Held again: what was found before is void.
    await record.holdFor(60_000);
    expect((await record.take('t4', { intent: 'run-held' })).verdict).toBe('start');
  });

  it('that nobody has held for long is abandoned, and whoever learns that may write it; else it may come back', async () => {
    const record = await newRecord().accept();
    await record.holdFor(-60_000);
    expect((await record.take('t1', { intent: 'run-held' })).verdict).toBe('lapsed');
    const [since, of] = ((await record.read())['lapsed'] ?? '').split(' ').map(Number) as [number, number];
    await redis.hset(record.key, 'lapsed', `${since - HOLD_GRACE_MS + 5_000} ${of}`);
    expect((await record.take('t2', { intent: 'run-held' })).verdict).toBe('lapsed');
    await redis.hset(record.key, 'lapsed', `${since - HOLD_GRACE_MS} ${of}`);
    expect(await record.take('t3', { intent: 'run-held' })).toMatchObject({ verdict: 'abandoned', attempts: [] });
    expect(await record.finish('t3', 'expired')).toBe('written');
    expect(Object.keys(await record.read())).not.toEqual(expect.arrayContaining(['heldUntil']));
  });

  it.each(['', 'x', '-5', 'nan', '1e400'])('held until "%s" is held by nobody, unless that is a number', async (heldUntil) => {
    const record = await newRecord().accept();
    await redis.hset(record.key, 'heldUntil', heldUntil);
    expect((await record.take('t1', { intent: 'run-held' })).verdict).toBe(heldUntil === '1e400' ? 'start' : 'lapsed');
  });

  it('is held on by one command for many, and not where it has ended, or the command is late', async () => {
    defineHoldCommand(redis);
    const [one, other, ended, never] = (await Promise.all([0, 1, 2, 3].map(() => newRecord().accept()))) as [RecordUnderTest, RecordUnderTest, RecordUnderTest, RecordUnderTest];
    for (const record of [one, other, ended]) await record.holdFor(1_000);
    await ended.take('t', { intent: 'close' });
    await ended.finish('t');
    const prefix = one.key.slice(0, -one.id.length);
    const ids = [one, other, ended, never].map(({ id }) => id);
    const [seconds] = await redis.time();
    const until = (Number(seconds) + 60) * 1_000;
    expect(await redis.renewHolds(prefix, until, ...ids)).toBe(2);
    expect(await redis.renewHolds(prefix, Number(seconds) * 1_000 - 1_000, ...ids)).toBe(0);
    const held = await Promise.all([one, other, ended, never].map(async (record) => (await record.read())['heldUntil']));
    expect(held).toEqual([String(until), String(until), undefined, undefined]);
  }); // prettier-ignore

  it('that its node gave up says so, if it still was its own', async () => {
    const record = await newRecord().accept();
    await record.take('t1');
    expect(await redis.noteLoss(record.key, 't0', 'LockLost', 'late')).toBe(0);
    expect(await redis.noteLoss(record.key, 't1', 'LockLost', 'in time')).toBe(1);
    const taken = await record.take('t2', { worker: 'node-2' });
    expect(taken.attempts).toMatchObject([{ status: 'lost', error: { type: 'LockLost', message: 'in time' } }, { number: 2 }]);
  });

  it('with an outcome that is staged is finished by what was staged, or not at all', async () => {
    const record = await newRecord().accept();
    await record.take('t1');
    const large = new LargeContent(redis);
    const staged = await large.stage(keys.staged('default', record.id), Buffer.alloc(2 * PIECE_BYTES + 1, 7));
    const finish = (bytes: number) =>
      redis.finishJob(
        ...finishJobKeys(keys, 'default', record.id),
        't1',
        Buffer.alloc(0),
        60_000,
        '',
        record.id,
        1,
        'x',
        staged.key,
        bytes,
      );
    expect(await finish(4 * PIECE_BYTES)).toBe('unstaged');
    expect(await record.read()).toMatchObject({ state: 'active', token: 't1' });
    expect(await finish(staged.bytes)).toBe('written');
    expect(await record.read()).toMatchObject({ state: 'finished', outcomeBytes: String(staged.bytes) });
    expect((await large.read(keys.jobOutcome('default', record.id), staged.bytes))?.equals(Buffer.alloc(staged.bytes, 7))).toBe(true);
    expect(await redis.exists(staged.key)).toBe(0);
    expect(await finish(staged.bytes)).toBe('finished');
  });

  it('that waits can be taken to be ended unrun, which is no start', async () => {
    const record = await newRecord().accept();
    expect(await record.finish('', 'expired')).toBe('stale');
    expect(await record.take('t1', { intent: 'close' })).toMatchObject({ verdict: 'close', attempts: [] });
    expect(await record.finish('t1', 'expired')).toBe('written');
    expect((await record.take('t2')).verdict).toBe('finished');
  });

  it('whose node was lost can be taken to be ended unrun, and the lost attempt is fenced off', async () => {
    const record = await newRecord().accept();
    await record.take('t1');
    const taken = await record.take('t2', { worker: 'node-2', intent: 'close' });
    expect([taken.verdict, taken.attempts.length]).toEqual(['close', 1]);
    expect(await record.finish('t1', 'late')).toBe('stale');
    expect(await record.finish('t2', 'expired')).toBe('written');
  });

  it('that may run once only is lost, not expired, when it was started before', async () => {
    const record = await newRecord().accept();
    await record.take('t1', { delivery: 'at-most-once' });
    expect((await record.take('t2', { delivery: 'at-most-once', worker: 'node-2', intent: 'close' })).verdict).toBe('lost');
    expect(await record.finish('t2', 'lost')).toBe('written');
  });

  it('that is finished stays as it is', async () => {
    const record = await newRecord().accept();
    await record.take('t1');
    await record.finish('t1', 'first');
    for (const token of ['t1', '', 't2']) expect(await record.finish(token, 'second')).toBe('finished');
    for (const delivery of ['at-least-once', 'at-most-once']) expect((await record.take('t9', { delivery })).verdict).toBe('finished');
    expect(await record.read()).toMatchObject({ state: 'finished', outcome: 'first', token: 't1' });
  });

  it('gets one outcome, however many write at once', async () => {
    const record = await newRecord().accept();
    await record.take('t1');
    const verdicts = await Promise.all(Array.from({ length: 50 }, (_, index) => record.finish('t1', String(index))));
    expect(verdicts.filter((verdict) => verdict === 'written')).toHaveLength(1);
    expect(verdicts.filter((verdict) => verdict === 'finished')).toHaveLength(49);
    expect(await record.read()).toMatchObject({ outcome: String(verdicts.indexOf('written')) });
  });

  it('is started three times in all, however many deliver it at once', async () => {
    const record = await newRecord().accept();
    const starts = await Promise.all(Array.from({ length: 20 }, (_, index) => record.take(`t${index}`)));
    expect(starts.filter(({ verdict }) => verdict === 'start').map(({ attempts }) => attempts.length)).toEqual([1, 2, 3]);
  });

  it('keeps an outcome of any bytes', async () => {
    const record = await newRecord().accept();
    const bytes = Buffer.from(Array.from({ length: 512 }, (_, byte) => byte % 256));
    await record.take('t1');
    await record.finish('t1', bytes);
    expect((await redis.hgetBuffer(record.key, RECORD_FIELDS.outcome))?.equals(bytes)).toBe(true);
  });

  it('gets the outcome’s time to live, and its payload is deleted', async () => {
    const record = await newRecord().accept();
    await record.take('t1');
    expect(await redis.exists(record.payload)).toBe(1);
    expect(await redis.pttl(record.key)).toBeGreaterThan(60_000);
    await record.finish('t1', 'x', '', 60_000);
    const ttl = await redis.pttl(record.key);
    expect(ttl).toBeGreaterThan(0);
    expect(ttl).toBeLessThanOrEqual(60_000);
    expect(await redis.exists(record.payload)).toBe(0);
  });

  it('that is refused an outcome keeps its payload and its time', async () => {
    const record = await newRecord().accept();
    await record.take('t1');
    await record.finish('stale', 'x', '', 1);
    expect(await redis.exists(record.payload)).toBe(1);
    expect(await redis.pttl(record.key)).toBeGreaterThan(60_000);
  });
});

describe('a take whose answer was lost and that is sent again', () => {
  it('finds the attempt it made, and makes no second one', async () => {
    const record = await newRecord().accept();
    for (let count = 0; count < 5; count += 1) {
      const taken = await record.take('t1', { delivery: 'at-most-once' });
      expect([taken.verdict, taken.attempts.length]).toEqual(['start', 1]);
    }
    expect(await record.finish('t1')).toBe('written');
    expect(await record.take('t1')).toMatchObject({ verdict: 'finished' });
  });

  it('is not exhausted by its own last start', async () => {
    const record = await newRecord().accept();
    for (const token of ['t1', 't2', 't3']) await record.take(token);
    expect(await record.take('t3')).toMatchObject({ verdict: 'start', attempts: [{}, {}, { number: 3 }] });
    expect((await record.take('t4')).verdict).toBe('exhausted');
    expect((await record.take('t4')).verdict).toBe('exhausted');
  });

  it('gets nothing where another take came between, also of a job that may run once only', async () => {
    const record = await newRecord().accept();
    await record.take('t1', { delivery: 'at-most-once' });
    expect((await record.take('t2', { delivery: 'at-most-once', worker: 'node-2' })).verdict).toBe('lost');
    expect((await record.take('t1', { delivery: 'at-most-once' })).verdict).toBe('unheld');
    expect(await record.finish('t2', 'lost')).toBe('written');
    expect((await record.take('t1', { delivery: 'at-most-once' })).verdict).toBe('finished');
  });

  it('does not start what was cancelled meanwhile', async () => {
    const record = await newRecord().accept();
    await record.take('t1');
    await record.cancel();
    expect((await record.take('t1')).verdict).toBe('cancel');
    expect(await record.finish('t1', 'cancelled')).toBe('written');
    expect((await record.take('t1')).verdict).toBe('cancelled');
  });

  it.each(['lost', 'exhausted', 'close', 'cancel'] as const)('and said %s says so again', async (verdict) => {
    const record = await newRecord().accept();
    if (verdict !== 'close') await record.take('t1', { delivery: 'at-most-once' });
    if (verdict === 'cancel') await record.cancel();
    const options = { delivery: verdict === 'lost' ? 'at-most-once' : 'at-least-once', mostStarts: 1, intent: verdict === 'close' ? 'close' : 'run' } as const; // prettier-ignore
    expect((await record.take('t2', options)).verdict).toBe(verdict);
    expect((await record.take('t2', options)).verdict).toBe(verdict);
    expect(await record.finish('t2')).toBe('written');
  });
});

describe('the reply channel', () => {
  it('carries small outcomes, names large ones, and hears of no refused one', async () => {
    const channel = keys.replyChannel('replica-1');
    const listener = connectForRecords(process.env['PYTHON3_TEST_REDIS_URL']);
    const heard: Buffer[] = [];
    listener.on('messageBuffer', (_channel: Buffer, message: Buffer) => heard.push(message));
    await listener.subscribe(channel);
    try {
      const [small, largest, large, silent] = await Promise.all([0, 1, 2, 3].map(() => newRecord().accept())) as [RecordUnderTest, RecordUnderTest, RecordUnderTest, RecordUnderTest]; // prettier-ignore
      for (const record of [small, largest, large, silent]) await record.take('t1');
      const bytes = Buffer.from([1, 10, 255, 0, 128]);
      await small.finish('t1', bytes, channel);
      await small.finish('t1', 'again', channel);
      await largest.finish('t1', Buffer.alloc(MAX_PUBLISHED_BYTES, 7), channel);
      await silent.finish('t1', 'x', '');
      await large.finish('t1', Buffer.alloc(MAX_PUBLISHED_BYTES + 1, 7), channel);
      await waitFor('the last message', () => heard.some((message) => message.toString('latin1').startsWith(large.id)));
      expect(heard.map((message) => message.toString('latin1', 0, message.indexOf('\n')))).toEqual([small.id, largest.id, large.id]);
      expect(heard[0]?.subarray(small.id.length + 1).equals(bytes)).toBe(true);
      expect(heard.map((message) => message.length - message.indexOf('\n') - 1)).toEqual([bytes.length, MAX_PUBLISHED_BYTES, 0]);
    } finally {
      await listener.quit();
    }
  });
});

describe('keys of one lane', () => {
  it('share its hash tag and lie apart from other namespaces', () => {
    const id = createJobId('vision');
    for (const key of [keys.jobRecord('vision', id), keys.jobPayload('vision', id), keys.queuePrefix('vision')]) {
      expect(key).toContain('{vision}');
      expect(key.startsWith(`${namespace}:`)).toBe(true);
    }
    expect(keys.jobRecord('vision', id)).not.toBe(keys.jobPayload('vision', id));
  });
});
