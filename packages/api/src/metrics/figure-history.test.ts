import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, expect, it } from '@jest/globals';
import { connectRedis, createRedisKeys, type RedisKeys } from '@python3-cluster/shared';
import type { Redis } from 'ioredis';
import { pino } from 'pino';
import { waitFor } from '../../../../test/support/wait-for';
import { ElectedReplica, type Term } from '../cluster/elected-replica';
import type { ClusterFigures } from './cluster-figures';
import { FigureHistory, SNAPSHOTS_KEPT } from './figure-history';

const INTERVAL_MS = 50;
let redis: Redis;
let keys: RedisKeys;
beforeAll(() => {
  redis = connectRedis(process.env['PYTHON3_TEST_REDIS_URL'] ?? '', { profile: 'patient', name: 'test', onError: () => undefined });
});
beforeEach(() => {
  keys = createRedisKeys(`t-${randomBytes(5).toString('hex')}`);
});
afterAll(async () => void (await redis.quit()));

const figuresAt = (readAt: number, finished = 0): ClusterFigures =>
  ({
    readAt,
    totals: { finished, succeeded: finished, runMs: { mean: 5 } },
    pool: { inUse: 1, max: 4, utilization: 0.25 },
  }) as unknown as ClusterFigures;
const termOf = (claim: string): Term => ({ claim, signal: new AbortController().signal });

it('there is one snapshot a minute, and the newest hundred are kept', async () => {
  await redis.set(keys.elected, 'a');
  const history = new FigureHistory(redis, keys);
  for (let half = 0; half < 240; half += 1) {
    const at = 1_700_000_040_000 + half * 30_000;
    (history as unknown as { kept: number }).kept = -Infinity;
    await history.takeIfDue(termOf('a'), () => Promise.resolve(figuresAt(at, half)));
  }
  const snapshots = await history.read();
  expect(snapshots).toHaveLength(SNAPSHOTS_KEPT);
  expect(snapshots[0]).toEqual({ at: 1_700_007_180_000, finished: 238, succeeded: 238, failed: 0, averageRunMs: 5, active: 1, poolMax: 4, utilization: 0.25 });
  expect(new Set(snapshots.map(({ at }) => Math.floor(at / 60_000))).size).toBe(SNAPSHOTS_KEPT);
}); // prettier-ignore

it('a replica that is no longer elected writes none, and what is none is not read', async () => {
  await redis.set(keys.elected, 'b');
  const history = new FigureHistory(redis, keys);
  await history.takeIfDue(termOf('a'), () => Promise.resolve(figuresAt(60_000)));
  expect(await history.read()).toEqual([]);
  await redis.zadd(keys.figureHistory, 1, 'nonsense', 2, '{"at":1}', 3, 'null');
  expect(await history.read()).toEqual([]);
});

it('an idle cluster has snapshots, too, and they go on when the replica that took them is gone', async () => {
  const play = (name: string): { elected: ElectedReplica; hangs: boolean } => {
    const history = new FigureHistory(redis, keys, INTERVAL_MS);
    const played: { elected: ElectedReplica; hangs: boolean } = {
      hangs: false,
      elected: new ElectedReplica({
        redis, keys, logger: pino({ level: 'silent' }), electionMs: 10, leaseMs: 300,
        guard: async (command) => (played.hangs ? new Promise<never>(() => undefined) : command()),
      }),
    }; // prettier-ignore
    played.elected.onTick('figures', 10, (term) => history.takeIfDue(term, () => Promise.resolve(figuresAt(Date.now(), name.length))));
    played.elected.start();
    return played;
  };
  const history = new FigureHistory(redis, keys, INTERVAL_MS);
  const first = play('a');
  await waitFor('three snapshots', async () => (await history.read()).length >= 3);
  const second = play('bb');
  first.hangs = true;
  await waitFor('those of the second', async () => (await history.read()).filter(({ finished }) => finished === 2).length >= 3);
  await Promise.all([first.elected.stop(), second.elected.stop()]);
  const minutes = (await history.read()).map(({ at }) => Math.floor(at / INTERVAL_MS));
  expect(new Set(minutes).size).toBe(minutes.length);
});
