import { randomBytes } from 'node:crypto';
import { afterEach, beforeEach, expect, it } from '@jest/globals';
import { connectRedis, createRedisKeys, type RedisKeys } from '@python3-cluster/shared';
import type { Redis } from 'ioredis';
import { pino } from 'pino';
import { waitFor } from '../../../../test/support/wait-for';
import { ElectedReplica, UNLESS_ELECTED, type Term } from './elected-replica';

let redis: Redis;
let keys: RedisKeys;
let replicas: ElectedReplica[];

beforeEach(() => {
  redis = connectRedis(process.env['PYTHON3_TEST_REDIS_URL'] ?? '', { profile: 'patient', name: 'test', onError: () => undefined });
  keys = createRedisKeys(`t-${randomBytes(5).toString('hex')}`);
  replicas = [];
});
afterEach(async () => {
  for (const replica of replicas) await replica.stop();
  redis.disconnect();
});

interface Played {
  readonly replica: ElectedReplica;
  readonly terms: Term[];
  /** While true its way to Redis hangs, as of a process that was stopped. */
  hangs: boolean;
}

function play(): Played {
  const played: Played = {
    terms: [],
    hangs: false,
    replica: new ElectedReplica({
      redis, keys, logger: pino({ level: 'silent' }), electionMs: 20, leaseMs: 200,
      guard: async (command) => (played.hangs ? new Promise<never>(() => undefined) : command()),
    }),
  }; // prettier-ignore
  played.replica.onTick('test', 20, (term) => {
    played.terms.push(term);
    return Promise.resolve();
  });
  replicas.push(played.replica);
  played.replica.start();
  return played;
}

it('of three replicas one is elected, and only its tasks run', async () => {
  const played = [play(), play(), play()];
  await waitFor('an election', () => played.some(({ terms }) => terms.length > 5));
  expect(played.filter(({ replica }) => replica.isElected)).toHaveLength(1);
  expect(played.filter(({ terms }) => terms.length > 0)).toHaveLength(1);
});

it('another takes over when the elected one hangs, whose claim then writes nothing any more', async () => {
  const first = play();
  await waitFor('the first', () => first.terms.length > 0);
  const second = play();
  first.hangs = true;
  await waitFor('the second', () => second.terms.length > 0);
  expect(first.replica.isElected).toBe(false);
  expect(first.terms[0]?.signal.aborted).toBe(true);
  const write = (claim: string | undefined): Promise<unknown> =>
    redis.eval(`${UNLESS_ELECTED}\nreturn redis.call('INCR', KEYS[2])`, 2, keys.elected, keys.figureHistory, claim ?? '');
  expect(await write(first.terms[0]?.claim)).toBe(0);
  expect(await write(second.terms[0]?.claim)).toBe(1);
});

it('a replica that stops hands over at once, and tells its tasks', async () => {
  const first = play();
  await waitFor('the first', () => first.terms.length > 0);
  await first.replica.stop();
  expect(first.terms[0]?.signal.aborted).toBe(true);
  expect(await redis.exists(keys.elected)).toBe(0);
});

it('a task that fails or takes long is not run twice at a time', async () => {
  let running = 0;
  let most = 0;
  let runs = 0;
  const replica = new ElectedReplica({ redis, keys, logger: pino({ level: 'silent' }), electionMs: 10, leaseMs: 500 });
  replicas.push(replica);
  replica.onTick('slow', 10, async () => {
    most = Math.max(most, (running += 1));
    for (let turn = 0; turn < 20; turn += 1) await redis.ping();
    running -= 1;
    runs += 1;
    throw new Error('as it happens');
  });
  replica.start();
  await waitFor('three runs', () => runs >= 3);
  expect(most).toBe(1);
});
