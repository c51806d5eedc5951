import { randomBytes } from 'node:crypto';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import type { Redis } from 'ioredis';
import { SeededRandom } from '../../../../test/contracts/seeded-random';
import { waitFor } from '../../../../test/support/wait-for';
import { connectForRecords, RecordUnderTest } from '../../test/record-under-test';
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
const started = async (token = 't1'): Promise<RecordUnderTest> => {
  const record = await newRecord().accept();
  await record.take(token);
  return record;
};

/** Long enough for a busy machine to look before it is over. */
const PAUSE_MS = 3_000;

describe('a job that is retried', () => {
  it('keeps the attempt’s end, waits its time, and starts again under a new token', async () => {
    const record = await started();
    expect(await record.retry('t1', PAUSE_MS)).toBe('retry');
    expect(await record.read()).toMatchObject({ state: 'delayed', lastEnd: 'end of t1' });
    expect(await record.attempts()).toMatchObject([{ number: 1, status: 'failed', error: null, finishedAt: 1 }]);
    const early = await record.take('t2');
    expect(early.verdict).toBe('early');
    expect(early.leftMs).toBeGreaterThan(0);
    expect(early.leftMs).toBeLessThanOrEqual(PAUSE_MS);
    await waitFor('its time', async () => (await record.take('t2')).verdict === 'start');
    expect(await record.attempts()).toMatchObject([{ status: 'failed' }, { number: 2 }]);
    expect((await record.attempts())[1]).not.toHaveProperty('status');
    expect([await record.finish('t1', 'late'), await record.finish('t2', 'succeeded')]).toEqual(['stale', 'written']);
    const { state, outcome, ...left } = await record.read();
    expect([state, outcome]).toEqual(['finished', 'succeeded']);
    for (const name of ['lastEnd', 'retryAt', 'startedBy']) expect(left).not.toHaveProperty(name);
  });

  it('is retried once per attempt, however often its node asks', async () => {
    const record = await started();
    for (let count = 0; count < 3; count += 1) expect(await record.retry('t1', 0)).toBe('retry');
    expect(await record.attempts()).toHaveLength(1);
    expect((await record.take('t2')).attempts).toHaveLength(2);
    expect(await record.retry('t1', 0)).toBe('stale');
    expect(await record.attempts()).toMatchObject([{ status: 'failed' }, { number: 2 }]);
  });

  it('can be ended unrun before its time, which a retry’s pause does not hold up', async () => {
    const record = await started();
    await record.retry('t1', 60_000);
    expect((await record.take('t2', { intent: 'close' })).verdict).toBe('close');
    expect(await record.finish('t2', 'expired')).toBe('written');
  });

  it('can be cancelled before its time, by one node and at once', async () => {
    const record = await started();
    await record.hold();
    await record.retry('t1', 60_000);
    expect(await record.cancel()).toBe('delayed');
    expect([await record.claim('c1'), await record.claim('c2')]).toEqual(['cancel', 'claimed']);
    expect(await record.finish('c1', 'cancelled')).toBe('written');
    expect((await record.take('t2')).verdict).toBe('cancelled');
  });

  it('is told to cancel by whoever fetches it first, also before its time', async () => {
    const record = await started();
    await record.retry('t1', 60_000);
    await record.cancel();
    expect((await record.take('t2')).verdict).toBe('cancel');
  });

  it('counts its starts, whatever ended them', async () => {
    const record = await started();
    await record.retry('t1', 0);
    await record.take('t2');
    await record.take('t3');
    expect(await record.retry('t3', 0)).toBe('retry');
    expect((await record.take('t4')).verdict).toBe('exhausted');
    expect((await record.attempts()).map(({ status }) => status)).toEqual(['failed', 'lost', 'failed']);
  });

  it('keeps what user code wrote, whatever it is', async () => {
    const record = await started();
    const error = { type: 'É"\\\u0000', message: 'line\n\u2028 \u{1f600} {"a":[]} \u001b' };
    expect(await record.retry('t1', 0, { status: 'failed', error, finishedAt: 1_732_345_678_901 })).toBe('retry');
    const { attempts } = await record.take('t2');
    expect(attempts[0]).toMatchObject({ status: 'failed', error, finishedAt: 1_732_345_678_901 });
  });
});

describe('a job is not retried', () => {
  it('whose cancellation was asked for: its end may be written', async () => {
    const record = await started();
    await record.cancel();
    expect(await record.retry('t1', 0)).toBe('cancel');
    expect(await record.finish('t1', 'failed')).toBe('written');
  });

  it('by an attempt that lost it, nor once it has ended, nor where it never was', async () => {
    const record = await started();
    await record.take('t2');
    expect(await record.retry('t1', 0)).toBe('stale');
    await record.finish('t2');
    expect(await record.retry('t2', 0)).toBe('finished');
    expect(await newRecord().retry('t1', 0)).toBe('unknown');
    expect((await record.attempts()).map(({ status }) => status)).toEqual(['lost', undefined]);
  });
});

/** One step of an actor, in the order of its own; the seed decides how those of different actors interleave. */
type Actor = AsyncGenerator<void, void, void>;

interface Story {
  readonly record: RecordUnderTest;
  readonly written: string[];
  /** Takes that were told to start. */
  readonly starts: Set<string>;
  retries: number;
}

/** A node: takes the entry while nobody holds it, runs, retries the first two ends, and may go down or send commands twice. */
async function* node(story: Story, name: string, random: SeededRandom): Actor {
  const { record, written, starts } = story;
  const twice = async <T>(command: () => Promise<T>): Promise<T> => {
    const first = await command();
    return random.below(4) === 0 ? command() : first;
  };
  for (let turn = 0; turn < 3; turn += 1) {
    yield;
    if (!(await record.hold())) continue;
    yield;
    const token = `${name}.${turn}`;
    const { verdict, attempts } = await twice(() => record.take(token));
    if (verdict === 'start') {
      starts.add(token);
      yield;
      const isDown = random.below(4) === 0;
      if (!isDown) {
        const answer = attempts.length < 3 ? await twice(() => record.retry(token, 0)) : 'end';
        if (answer === 'retry') story.retries += 1;
        yield;
        if (answer !== 'retry' && (await record.finish(token, `failed ${token}`)) === 'written') written.push(`failed ${token}`);
      }
    } else if (verdict !== 'finished' && verdict !== 'cancelled' && verdict !== 'early' && verdict !== 'unheld') {
      if ((await record.finish(token, `${verdict} ${token}`)) === 'written') written.push(`${verdict} ${token}`);
    }
    yield;
    await record.letGo();
  }
}

async function* canceller({ record, written }: Story, name: string, patience: number): Actor {
  for (let left = patience; left >= 0; left -= 1) yield;
  await record.cancel();
  yield;
  if ((await record.claim(name, 0)) === 'cancel') {
    yield;
    if ((await record.finish(name, `cancel ${name}`)) === 'written') written.push(`cancel ${name}`);
  }
}

async function interleave(actors: Actor[], random: SeededRandom): Promise<void> {
  while (actors.length > 0) {
    const chosen = [random.below(actors.length), random.below(actors.length)].slice(0, 1 + random.below(2));
    const ended = await Promise.all([...new Set(chosen)].map(async (at) => ((await actors[at]?.next())?.done ? actors[at] : undefined)));
    for (const actor of ended) if (actor !== undefined) actors.splice(actors.indexOf(actor), 1);
  }
}

/** What the queue does with an entry that is left over. */
async function handOutAgain({ record, written, starts }: Story): Promise<void> {
  for (let turn = 0; written.length === 0 && turn < 4; turn += 1) {
    const token = `end.${turn}`;
    const { verdict } = await record.take(token);
    if (verdict === 'start') starts.add(token);
    if (verdict === 'start' && (await record.retry(token, 0)) === 'retry') continue;
    if ((await record.finish(token, `${verdict} at last`)) === 'written') written.push(`${verdict} at last`);
  }
}

it('200 random interleavings of two nodes’ runs, retries, losses, resent commands and cancels each give one outcome', async () => {
  const endings = new Map<string, number>();
  let retries = 0;
  for (let seed = 1; seed <= 200; seed += 1) {
    const random = new SeededRandom(seed);
    const story: Story = { record: await newRecord().accept(), written: [], starts: new Set(), retries: 0 };
    const isCancelled = random.below(2) === 0;
    const actors = [
      node(story, 'n1', random), node(story, 'n2', random),
      ...(isCancelled ? [canceller(story, 'c1', random.below(15)), canceller(story, 'c2', random.below(15))] : []),
    ]; // prettier-ignore
    await interleave(actors, random);
    await handOutAgain(story);
    const attempts = await story.record.attempts();
    expect({ seed, written: story.written.length, starts: story.starts.size }).toEqual({ seed, written: 1, starts: attempts.length });
    expect(await story.record.outcome()).toBe(story.written[0]);
    expect(attempts.length).toBeLessThanOrEqual(3);
    expect(attempts.map(({ number }) => number)).toEqual(attempts.map((_, index) => index + 1));
    for (const { status } of attempts.slice(0, -1)) expect(['failed', 'lost']).toContain(status);
    retries += story.retries;
    const kind = story.written[0]?.split(' ')[0] ?? '';
    endings.set(kind, (endings.get(kind) ?? 0) + 1);
  }
  // Both ends of the race, and retries, were really met.
  expect(retries).toBeGreaterThan(100);
  expect(endings.get('cancel')).toBeGreaterThan(20);
  expect((endings.get('failed') ?? 0) + (endings.get('exhausted') ?? 0)).toBeGreaterThan(20);
}, 60_000);
