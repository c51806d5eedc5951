import { mastersOf, type RedisKeys } from '@python3-cluster/shared';
import type { Redis, Result } from 'ioredis';

/**
 * Adds to a lane's byte counter and tells how full the lane is.
 * KEYS: BullMQ's wait, paused, prioritized, delayed and active, then the counter. ARGV: bytes to add.
 * Answers [waiting jobs, bytes of unfinished jobs, delayed jobs, epoch ms on Redis' clock]. An empty lane has no unfinished bytes: whatever a crashed replica or
 * an expired record left in the counter ends there.
 */
const GAUGE_SCRIPT = `
local waiting = redis.call('LLEN', KEYS[1]) + redis.call('LLEN', KEYS[2]) + redis.call('ZCARD', KEYS[3])
local delayed = redis.call('ZCARD', KEYS[4])
local bytes
if ARGV[1] ~= '0' then bytes = redis.call('INCRBY', KEYS[6], ARGV[1]) else bytes = tonumber(redis.call('GET', KEYS[6]) or '0') end
if waiting + delayed == 0 and bytes ~= 0 and redis.call('LLEN', KEYS[5]) == 0 then
  redis.call('DEL', KEYS[6])
  bytes = 0
end
local time = redis.call('TIME')
return {waiting, bytes, delayed, time[1] * 1000 + math.floor(time[2] / 1000)}
`;

declare module 'ioredis' {
  interface RedisCommander<Context> {
    gaugeLane(
      wait: string, paused: string, prioritized: string, delayed: string, active: string, bytes: string, addedBytes: number,
    ): Result<[waiting: number, bytes: number, delayed: number, nowMs: number], Context>; // prettier-ignore
  }
}

export interface LaneGauge {
  readonly waitingJobs: number;
  /** Not to be started yet. */
  readonly delayedJobs: number;
  readonly unfinishedBytes: number;
  /** Epoch ms, on the clock of the lane's server. */
  readonly nowMs: number;
}

export interface MemoryGauge {
  readonly usedBytes: number;
  /** 0: Redis has no limit. */
  readonly maxBytes: number;
}

export function defineLaneGauge(redis: Redis): void {
  redis.defineCommand('gaugeLane', { numberOfKeys: 6, lua: GAUGE_SCRIPT });
}

export async function gaugeLane(redis: Redis, keys: RedisKeys, lane: string, addedBytes: number): Promise<LaneGauge> {
  const key = (name: string): string => `${keys.queuePrefix(lane)}:${keys.queueName}:${name}`;
  const [waitingJobs, unfinishedBytes, delayedJobs, nowMs] = await redis.gaugeLane(
    key('wait'), key('paused'), key('prioritized'), key('delayed'), key('active'), keys.queuedBytes(lane), addedBytes,
  ); // prettier-ignore
  return { waitingJobs, delayedJobs, unfinishedBytes, nowMs };
}

/** Of the fullest server, where it is a Cluster: any lane may live there. */
export async function gaugeMemory(redis: Redis): Promise<MemoryGauge> {
  const gauges = await Promise.all(mastersOf(redis).map(gaugeServerMemory));
  const share = ({ usedBytes, maxBytes }: MemoryGauge): number => (maxBytes === 0 ? 0 : usedBytes / maxBytes);
  return gauges.reduce((fullest, gauge) => (share(gauge) > share(fullest) ? gauge : fullest));
}

async function gaugeServerMemory(redis: Redis): Promise<MemoryGauge> {
  const text = await redis.info('memory');
  const read = (name: string): number => Number(new RegExp(`^${name}:(\\d+)`, 'm').exec(text)?.[1] ?? 0);
  return { usedBytes: read('used_memory'), maxBytes: read('maxmemory') };
}
