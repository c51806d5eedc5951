import type { RedisKeys } from '@python3-cluster/shared';
import type { Redis, Result } from 'ioredis';
import { UNLESS_ELECTED, type Term } from '../cluster/elected-replica';
import type { ClusterFigures } from './cluster-figures';
import { round } from './to-figures';

/** The cluster at one moment. */
export interface Snapshot {
  /** Epoch ms, on Redis' clock. */
  readonly at: number;
  readonly finished: number;
  readonly succeeded: number;
  readonly failed: number;
  readonly averageRunMs: number;
  readonly active: number;
  readonly poolMax: number;
  /** 0 to 1. */
  readonly utilization: number;
}

export const SNAPSHOTS_KEPT = 100;

/**
 * Keeps a snapshot, if there is none of its minute or a later one yet, whoever took it.
 * KEYS: elected, history; ARGV: claim, minute, snapshot, how many are kept. Answers 1 or 0.
 */
const KEEP_SCRIPT = `
${UNLESS_ELECTED}
local last = redis.call('ZREVRANGE', KEYS[2], 0, 0, 'WITHSCORES')
if last[2] and tonumber(last[2]) >= tonumber(ARGV[2]) then return 0 end
redis.call('ZADD', KEYS[2], ARGV[2], ARGV[3])
redis.call('ZREMRANGEBYRANK', KEYS[2], 0, -ARGV[4] - 1)
return 1
`;

declare module 'ioredis' {
  interface RedisCommander<Context> {
    keepSnapshot(elected: string, history: string, claim: string, minute: number, snapshot: string, most: number): Result<0 | 1, Context>;
  }
}

/** One snapshot a minute, also of a cluster that is idle, taken by the elected replica; the newest 100. */
export class FigureHistory {
  private readonly redis: Redis;
  private readonly keys: RedisKeys;
  private readonly intervalMs: number;
  private kept = -Infinity;
  /** Redis' clock less ours. */
  private aheadMs = 0;

  constructor(redis: Redis, keys: RedisKeys, intervalMs = 60_000) {
    this.redis = redis;
    this.keys = keys;
    this.intervalMs = intervalMs;
    redis.defineCommand('keepSnapshot', { numberOfKeys: 2, lua: KEEP_SCRIPT });
  }

  /** Call it often: it does something once a minute. */
  async takeIfDue(term: Term, readFigures: () => Promise<ClusterFigures>): Promise<void> {
    if (this.minuteOf(Date.now() + this.aheadMs) === this.kept) return;
    const figures = await readFigures();
    this.aheadMs = figures.readAt - Date.now();
    const minute = this.minuteOf(figures.readAt);
    const text = JSON.stringify(toSnapshot(figures));
    await this.redis.keepSnapshot(this.keys.elected, this.keys.figureHistory, term.claim, minute, text, SNAPSHOTS_KEPT);
    this.kept = minute;
  }

  /** Newest first. */
  async read(): Promise<Snapshot[]> {
    const texts = await this.redis.zrevrange(this.keys.figureHistory, 0, SNAPSHOTS_KEPT - 1);
    return texts.flatMap((text) => parseSnapshot(text) ?? []);
  }

  private minuteOf(epochMs: number): number {
    return Math.floor(epochMs / this.intervalMs);
  }
}

function toSnapshot({ readAt, totals, pool }: ClusterFigures): Snapshot {
  return {
    at: readAt,
    finished: totals.finished,
    succeeded: totals.succeeded,
    failed: totals.finished - totals.succeeded,
    averageRunMs: totals.runMs.mean,
    active: pool.inUse,
    poolMax: pool.max,
    utilization: round(pool.utilization),
  };
}

const NAMES: readonly (keyof Snapshot)[] = ['at', 'finished', 'succeeded', 'failed', 'averageRunMs', 'active', 'poolMax', 'utilization'];

/** It grants nothing and is not sealed: whoever can write to Redis can write the counters it is made of. */
function parseSnapshot(text: string): Snapshot | undefined {
  try {
    const value = JSON.parse(text) as Snapshot;
    return NAMES.every((name) => typeof value[name] === 'number') ? value : undefined;
  } catch {
    return undefined;
  }
}
