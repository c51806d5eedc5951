import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, expect, it } from '@jest/globals';
import { connectRedis, createRedisKeys, type RedisKeys, type WorkerHeartbeat } from '@python3-cluster/shared';
import type { Redis } from 'ioredis';
import { pino } from 'pino';
import { RedisBreaker } from '../redis/redis-breaker';
import { FiguresReader } from './figures-reader';

let redis: Redis;
let keys: RedisKeys;
let breaker: RedisBreaker;
let workers: WorkerHeartbeat[];
beforeAll(() => {
  redis = connectRedis(process.env['PYTHON3_TEST_REDIS_URL'] ?? '', { profile: 'patient', name: 'test', onError: () => undefined });
});
beforeEach(() => {
  keys = createRedisKeys(`t-${randomBytes(5).toString('hex')}`);
  breaker = new RedisBreaker({ volumeThreshold: 1, pauseMs: [60_000, 60_000] });
  workers = [];
});
afterAll(async () => void (await redis.quit()));

const createReader = (): FiguresReader =>
  new FiguresReader({ redis, keys, breaker, liveWorkers: () => workers, logger: pino({ level: 'silent' }) });

const heartbeat = (id: string, inUse: number, lanes = ['default']): WorkerHeartbeat =>
  ({ id, nodeName: id, lanes, draining: false, pool: { size: 3, max: 4, inUse, healthy: 3, waiting: 0 } }) as unknown as WorkerHeartbeat;

/** The same counters in each minute around now, so that a test may run into the next one. */
async function fillMinutes(lane: string, fields: Record<string, number>): Promise<void> {
  const minute = Math.floor(Number((await redis.time())[0]) / 60);
  for (let at = minute - 8; at <= minute + 1; at += 1) await redis.hset(keys.minuteCounts(lane, at), fields);
}

it('windows move with the clock, and tell failures of the code from jobs that did not run', async () => {
  workers = [heartbeat('node-1', 1), heartbeat('node-2', 3)];
  await fillMinutes('default', {
    accepted: 100, 'jobs:exec:succeeded:node-1': 60, 'jobs:call:failed:node-2': 20, 'jobs:exec:timed_out:node-2': 10, 'jobs:exec:cancelled:node-1': 10,
    'run:40': 90, 'run:sum': 90 * 90_000, nonsense: 7, 'jobs:exec:invented:node-1': 5,
  }); // prettier-ignore
  const { lastFiveMinutes, lastMinute, pool, workers: nodes, readAt } = await createReader().read();
  const minutes = 6 - (readAt % 60_000) / 60_000;
  expect(lastFiveMinutes.succeeded).toBe(Math.round(60 * minutes));
  expect(lastFiveMinutes.failed).toBe(Math.round(20 * minutes) + Math.round(10 * minutes));
  expect(lastFiveMinutes.notRun).toBe(Math.round(10 * minutes));
  expect(lastFiveMinutes.finished).toBe(lastFiveMinutes.succeeded + lastFiveMinutes.failed + lastFiveMinutes.notRun);
  expect(lastFiveMinutes.failureShare).toBeCloseTo(1 / 3, 1);
  expect(lastFiveMinutes.perMinute).toBeCloseTo(lastFiveMinutes.finished / 5, 2);
  expect(lastFiveMinutes.accepted).toBe(Math.round(100 * minutes));
  expect(lastFiveMinutes.runMs.mean).toBeCloseTo(90, 3);
  expect(lastFiveMinutes.runMs.p95).toBeGreaterThan(86);
  expect(lastFiveMinutes.runMs.p95).toBeLessThanOrEqual(102.4);
  expect(lastMinute.succeeded).toBe(Math.round(60 * (minutes - 4)));
  expect(pool).toEqual({ size: 6, max: 8, inUse: 4, healthy: 6, waiting: 0, utilization: 0.5 });
  expect(nodes.map(({ id, lastFiveMinutes: { failed } }) => [id, failed > 0])).toEqual([['node-1', false], ['node-2', true]]); // prettier-ignore
});

it('lanes are those that are served and those that ever were', async () => {
  workers = [heartbeat('node-1', 0, ['default', 'vision'])];
  await redis.sadd(keys.lanes, 'gone', 'default');
  await redis.hset(keys.counts('gone'), { accepted: 7, withdrawn: 2, 'jobs:exec:succeeded': 3, 'jobs:check:succeeded': 9 });
  const { lanes, totals } = await createReader().read();
  expect(lanes.map(({ lane, workers: serving }) => [lane, serving])).toEqual([['default', 1], ['gone', 0], ['vision', 1]]); // prettier-ignore
  expect(totals).toMatchObject({ accepted: 5, finished: 3, open: 2 });
});

it('depth and age are those of the queue: a delayed job is no waiting one, and a retry waits from when it may run', async () => {
  workers = [heartbeat('node-1', 0)];
  const now = Date.now();
  const queue = `${keys.queuePrefix('default')}:queue`;
  const record = (id: string, head: object, fields: object = {}): Promise<unknown> =>
    redis.hset(keys.jobRecord('default', id), { job: `seal\n${JSON.stringify(head)}`, ...fields });
  await record('new', { issuedAt: now - 1_000 });
  await record('planned', { issuedAt: now - 900_000, startAfter: now - 2_000 });
  await record('retried', { issuedAt: now - 900_000, labels: { startAfter: '1' } }, { retryAt: now - 5_000 });
  await record('tomorrow', { issuedAt: now - 900_000, startAfter: now + 60_000 });
  const score = (priority: number, counter: number): number => priority * 2 ** 32 + counter;
  await redis.zadd(`${queue}:prioritized`, score(50, 1), 'new', score(51, 0), 'planned', score(100, 9), 'retried');
  await redis.zadd(`${queue}:delayed`, 1, 'tomorrow');
  await redis.rpush(`${queue}:active`, 'running', 'another');
  const lane = (await createReader().read()).lanes[0];
  expect(lane).toMatchObject({ waiting: 3, delayed: 1, active: 2 });
  expect(lane?.oldestWaitingMs).toBeGreaterThanOrEqual(5_000);
  expect(lane?.oldestWaitingMs).toBeLessThan(60_000);
});

it('all who ask within a second share one reading', async () => {
  workers = [heartbeat('node-1', 0)];
  const reader = createReader();
  const [first, second] = await Promise.all([reader.read(), reader.read()]);
  expect(second).toBe(first);
});

it('while the breaker is open Redis is not asked, and what was last known is told as old', async () => {
  workers = [heartbeat('node-1', 0)];
  await fillMinutes('default', { 'jobs:exec:succeeded:node-1': 60 });
  const empty = createReader();
  const reader = createReader();
  await reader.read();
  for (let failure = 0; failure < 3; failure += 1)
    await breaker.run(() => Promise.reject(Object.assign(new Error('gone'), { code: 'ECONNREFUSED' }))).catch(() => undefined);
  expect(breaker.state).toBe('open');
  let commands = 0;
  const sendCommand = redis.sendCommand.bind(redis);
  redis.sendCommand = (command, stream) => {
    commands += 1;
    return sendCommand(command, stream);
  };
  await expect(empty.read()).rejects.toMatchObject({ code: 'QUEUE_UNAVAILABLE' });
  expect(await empty.readOrLast()).toEqual({ reading: undefined, isCurrent: false });
  (reader as unknown as { last: { readAt: number } }).last.readAt = -Infinity;
  const { reading, isCurrent } = await reader.readOrLast();
  redis.sendCommand = sendCommand;
  expect([isCurrent, (reading?.figures.lastFiveMinutes.succeeded ?? 0) > 200, commands]).toEqual([false, true, 0]);
});
