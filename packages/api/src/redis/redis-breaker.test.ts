import { afterEach, describe, expect, it } from '@jest/globals';
import { ClusterError } from '@python3-cluster/shared';
import { waitFor } from '../../../../test/support/wait-for';
import { RedisBreaker, type RedisBreakerOptions } from './redis-breaker';
import { isTransportFailure } from './redis-failures';

const replyError = (message: string): Error => Object.assign(new Error(message), { name: 'ReplyError' });

describe('a failure of Redis', () => {
  it.each<[string, unknown, boolean]>([
    ['a command that timed out', new Error('Command timed out'), true],
    ['a closed connection', new Error('Connection is closed.'), true],
    ['a connection that cannot be written to', new Error("Stream isn't writeable and enableOfflineQueue options is false"), true],
    ['a reset connection', Object.assign(new Error('read ECONNRESET'), { code: 'ECONNRESET' }), true],
    ['no memory left', replyError("OOM command not allowed when used memory > 'maxmemory'."), true],
    ['a replica', replyError("READONLY You can't write against a read only replica."), true],
    ['a disk that is full', replyError('MISCONF Redis is configured to save RDB snapshots'), true],
    ['a Redis that loads', replyError('LOADING Redis is loading the dataset in memory'), true],
    ['a key of another type', replyError('WRONGTYPE Operation against a key holding the wrong kind of value'), false],
    ['a script of ours that fails', replyError('ERR user_script:1: attempt to index a nil value'), false],
    ['what a caller did wrong', new ClusterError('REQUEST_INVALID'), false],
    ['a full queue', new ClusterError('QUEUE_FULL'), false],
    ['no connection', new ClusterError('QUEUE_UNAVAILABLE'), true],
    ['an enqueue that Redis refused everybody', new ClusterError('QUEUE_UNAVAILABLE', undefined, { cause: replyError('OOM x') }), true],
    ['an enqueue refused for its key', new ClusterError('QUEUE_UNAVAILABLE', undefined, { cause: replyError('WRONGTYPE x') }), false],
    ['an unconfirmed enqueue', new ClusterError('QUEUE_UNCERTAIN', undefined, { cause: new Error('Command timed out') }), true],
    ['a forged outcome', new ClusterError('OUTCOME_UNVERIFIED'), false],
    ['a defect', new TypeError('x is not a function'), false],
    ['nothing', undefined, false],
  ])('%s', (_words, error, expected) => {
    expect(isTransportFailure(error)).toBe(expected);
  });
});

describe('the breaker', () => {
  const breakers: RedisBreaker[] = [];
  const create = (options: Partial<RedisBreakerOptions> = {}): RedisBreaker => {
    const breaker = new RedisBreaker({ pauseMs: [40, 80], ...options });
    breakers.push(breaker);
    return breaker;
  };
  afterEach(() => breakers.splice(0).forEach((breaker) => breaker.stop()));

  const fail = (breaker: RedisBreaker, error: unknown, times = 3): Promise<unknown> =>
    Promise.allSettled(Array.from({ length: times }, () => breaker.run(() => Promise.reject(error as Error))));
  const TIMED_OUT = new Error('Command timed out');

  it('opens on failures of the transport, then sends nothing and says when to come back', async () => {
    const breaker = create({ pauseMs: [60_000, 60_000] });
    await fail(breaker, TIMED_OUT);
    expect(breaker.state).toBe('open');
    let sent = 0;
    const refused = await breaker.run(() => Promise.resolve((sent += 1))).catch((error: unknown) => error);
    expect(refused).toMatchObject({ code: 'QUEUE_UNAVAILABLE', retryAfterSeconds: 60 });
    await expect(breaker.probe(() => Promise.resolve((sent += 1)))).rejects.toMatchObject({ code: 'QUEUE_UNAVAILABLE' });
    expect(() => breaker.assertClosed()).toThrow(expect.objectContaining({ code: 'QUEUE_UNAVAILABLE' }));
    expect(sent).toBe(0);
  });

  it('passes on what its action gives or throws', async () => {
    const breaker = create();
    expect(await breaker.run(() => Promise.resolve(5))).toBe(5);
    await expect(breaker.run(() => Promise.reject(TIMED_OUT))).rejects.toBe(TIMED_OUT);
  });

  it('stays closed for what is no fault of Redis, however often, and for a single failure', async () => {
    const breaker = create();
    await fail(breaker, replyError('WRONGTYPE x'), 20);
    await fail(breaker, new ClusterError('REQUEST_INVALID'), 20);
    await fail(breaker, TIMED_OUT, 1);
    expect(breaker.state).toBe('closed');
  });

  it('goes half-open, where only one probe passes; a failed one opens it again, a good one closes it', async () => {
    const breaker = create();
    const events: string[] = [];
    for (const name of ['open', 'halfOpen', 'close'] as const) breaker.on(name, () => events.push(name));
    await fail(breaker, TIMED_OUT);
    await waitFor('half-open', () => breaker.state === 'half-open');
    await expect(breaker.run(() => Promise.resolve(1))).rejects.toMatchObject({ code: 'QUEUE_UNAVAILABLE' });
    await expect(breaker.probe(() => Promise.reject(TIMED_OUT))).rejects.toBe(TIMED_OUT);
    expect(breaker.state).toBe('open');
    await waitFor('half-open', () => breaker.state === 'half-open');
    const [first, second] = await Promise.allSettled([breaker.probe(() => Promise.resolve(1)), breaker.probe(() => Promise.resolve(2))]);
    expect([first.status, second.status]).toEqual(['fulfilled', 'rejected']);
    expect(breaker.state).toBe('closed');
    expect(events).toEqual(['open', 'halfOpen', 'open', 'halfOpen', 'close']);
  });

  it('pauses for another time each time it opens', async () => {
    const pauses = new Set<number>();
    for (let index = 0; index < 5; index += 1) {
      const breaker = create({ pauseMs: [1_000, 100_000] });
      await fail(breaker, TIMED_OUT);
      const refused = (await breaker.run(() => Promise.resolve(1)).catch((error: unknown) => error)) as ClusterError;
      pauses.add(refused.retryAfterSeconds ?? 0);
    }
    expect(pauses.size).toBeGreaterThan(1);
  });
});
