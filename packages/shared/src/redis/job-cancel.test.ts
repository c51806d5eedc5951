import { randomBytes } from 'node:crypto';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import type { Redis } from 'ioredis';
import { SeededRandom } from '../../../../test/contracts/seeded-random';
import { connectForRecords, RecordUnderTest } from '../../test/record-under-test';
import { RECORD_FIELDS, type TakeVerdict } from './job-record';
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
const take = async (record: RecordUnderTest, ...args: Parameters<RecordUnderTest['take']>): Promise<TakeVerdict> =>
  (await record.take(...args)).verdict;

describe('a job that is to be cancelled', () => {
  it('and waits is claimed by one node, and starts nowhere any more', async () => {
    const record = await newRecord().accept();
    expect(await record.cancel()).toBe('waiting');
    const claims = await Promise.all(Array.from({ length: 20 }, (_, index) => record.claim(`t${index}`)));
    expect(claims.filter((verdict) => verdict === 'cancel')).toHaveLength(1);
    expect(claims.filter((verdict) => verdict === 'claimed')).toHaveLength(19);
    expect(await record.finish(`t${claims.indexOf('cancel')}`, 'cancelled')).toBe('written');
    expect(await take(record, 'late')).toBe('cancelled');
    expect(await record.claim('later')).toBe('finished');
    expect(await record.isListed()).toBe(false);
  });

  it.each(['run', 'close'] as const)(
    'and is fetched to %s first is ended by that node, and the claim of another is fenced off',
    async (intent) => {
      const record = await newRecord().accept();
      await record.cancel();
      expect(await record.claim('claimant')).toBe('cancel');
      expect(await take(record, 'fetcher', { intent })).toBe('cancel');
      expect(await record.finish('claimant', 'cancelled')).toBe('stale');
      expect(await record.finish('fetcher', 'cancelled')).toBe('written');
    },
  );

  it('and runs is left to the node that holds it, and to any other once that node’s lock is gone', async () => {
    const record = await newRecord().accept();
    await record.hold();
    await record.take('runner');
    expect(await record.cancel()).toBe('active');
    expect(await record.claim('other')).toBe('running');
    await record.letGo();
    expect(await record.claim('other')).toBe('cancel');
    expect(await record.finish('runner', 'succeeded')).toBe('stale');
    expect(await record.finish('other', 'cancelled')).toBe('written');
  });

  it('and was started once, with at-most-once, is cancelled rather than lost', async () => {
    const record = await newRecord().accept();
    await record.take('t1', { delivery: 'at-most-once' });
    await record.cancel();
    expect(await take(record, 't2', { delivery: 'at-most-once' })).toBe('cancel');
  });

  it('but has its outcome keeps it, and nothing is asked for', async () => {
    const record = await newRecord().accept();
    await record.take('t1');
    await record.finish('t1', 'succeeded');
    expect(await record.cancel()).toBe('finished');
    expect(await redis.hexists(record.key, RECORD_FIELDS.cancelRequested)).toBe(0);
    expect(await record.isListed()).toBe(false);
    expect(await take(record, 't2')).toBe('finished');
    expect(await record.outcome()).toBe('succeeded');
  });

  it('but was never accepted is unknown, and leaves nothing behind', async () => {
    const record = newRecord();
    expect([await record.cancel(), await record.claim('t1')]).toEqual(['unknown', 'unknown']);
    expect(await redis.keys(`${namespace}:*`)).toEqual([]);
  });

  it('is not claimed because somebody merely said so', async () => {
    const record = await newRecord().accept();
    expect(await record.claim('t1')).toBe('unasked');
    expect(await take(record, 't2')).toBe('start');
  });

  it('is claimed again when the first claimant went down over it', async () => {
    const record = await newRecord().accept();
    await record.cancel();
    expect(await record.claim('dead')).toBe('cancel');
    expect([await record.claim('next'), await record.claim('next', 0)]).toEqual(['claimed', 'cancel']);
    expect(await record.finish('dead', 'cancelled')).toBe('stale');
    expect(await record.finish('next', 'cancelled')).toBe('written');
  });

  it('keeps the time of the first request, and its record’s time to live', async () => {
    const record = await newRecord().accept();
    await record.cancel();
    const first = await redis.hget(record.key, RECORD_FIELDS.cancelRequested);
    await new Promise((resolve) => setTimeout(resolve, 3));
    await record.cancel();
    expect(await redis.hget(record.key, RECORD_FIELDS.cancelRequested)).toBe(first);
    expect(await redis.pttl(record.key)).toBeGreaterThan(500_000);
    expect(await redis.pttl(keys.cancels('default'))).toBeGreaterThan(500_000);
  });
});

/** One step of an actor, in the order of its own; the seed decides how those of different actors interleave. */
type Actor = AsyncGenerator<void, void, void>;

interface Story {
  readonly record: RecordUnderTest;
  /** Outcomes that were written, in order. */
  readonly written: string[];
  asked: boolean;
  startedAfterAsking: boolean;
}

async function write(story: Story, token: string, outcome: string): Promise<void> {
  if ((await story.record.finish(token, outcome)) === 'written') story.written.push(outcome);
}

async function* canceller(story: Story, patience: number): Actor {
  for (let left = patience; left >= 0; left -= 1) yield;
  const verdict = await story.record.cancel();
  story.asked ||= verdict === 'waiting' || verdict === 'active';
}

/** A node that gets the entry from the queue: runs it, or is told not to; may go down at any point. */
async function* deliverer(story: Story, name: string, isShortLived: boolean): Actor {
  yield;
  if (!(await story.record.hold())) return;
  yield;
  const wasAsked = story.asked;
  const verdict = await take(story.record, name);
  yield;
  if (verdict === 'start') {
    story.startedAfterAsking ||= wasAsked;
    yield;
    if (!isShortLived) await write(story, name, story.asked && name.length % 2 === 0 ? `cancelled by ${name}` : `succeeded on ${name}`);
  } else if (verdict === 'cancel' && !isShortLived) {
    await write(story, name, `cancelled by ${name}`);
  }
  yield;
  await story.record.letGo();
}

/** A node that hears of the cancellation; its claim may lead nowhere. */
async function* claimant(story: Story, name: string, isShortLived: boolean): Actor {
  yield;
  const verdict = await story.record.claim(name, 0);
  yield;
  if (verdict === 'cancel' && !isShortLived) await write(story, name, `cancelled by ${name}`);
}

it('200 random interleavings of cancels, starts, ends, redeliveries and claims each give exactly one outcome', async () => {
  const endings = new Map<string, number>();
  for (let seed = 1; seed <= 200; seed += 1) {
    const random = new SeededRandom(seed);
    const story: Story = { record: await newRecord().accept(), written: [], asked: false, startedAfterAsking: false };
    const isShortLived = (): boolean => random.below(3) === 0;
    const actors = [
      canceller(story, random.below(15)), canceller(story, random.below(15)),
      deliverer(story, 'n1', isShortLived()), deliverer(story, 'n22', isShortLived()), deliverer(story, 'n3', isShortLived()),
      claimant(story, 'c1', isShortLived()), claimant(story, 'c2', isShortLived()), claimant(story, 'c3', isShortLived()),
    ]; // prettier-ignore
    while (actors.length > 0) {
      // Now and then two at once: Redis then decides.
      const chosen = [random.below(actors.length), random.below(actors.length)].slice(0, 1 + random.below(2));
      const ended = await Promise.all([...new Set(chosen)].map(async (at) => ((await actors[at]?.next())?.done ? actors[at] : undefined)));
      for (const actor of ended) if (actor !== undefined) actors.splice(actors.indexOf(actor), 1);
    }
    // What is left over is what the nodes' next look finds.
    for await (const _ of claimant(story, 'look', false)) void _;
    if (!story.asked && story.written.length === 0) await story.record.take('end').then(() => write(story, 'end', 'succeeded at last'));
    expect({ seed, written: story.written.length, after: story.startedAfterAsking }).toEqual({ seed, written: 1, after: false });
    expect(await story.record.outcome()).toBe(story.written[0]);
    for (const token of ['n1', 'c1', 'look', '']) expect(await story.record.finish(token, 'second')).toBe('finished');
    const kind = story.written[0]?.split(' ')[0] ?? '';
    endings.set(kind, (endings.get(kind) ?? 0) + 1);
  }
  // Both ends of the race were really met.
  expect(endings.get('cancelled')).toBeGreaterThan(20);
  expect(endings.get('succeeded')).toBeGreaterThan(20);
}, 60_000);
