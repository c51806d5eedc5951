import type { RedisKeys } from '@python3-cluster/shared';
import type { Redis, Result } from 'ioredis';
import { parseCounts, type Counts } from './lane-counts';

/**
 * All that is asked of one lane, as of one moment on its server's clock.
 * KEYS[1] the lane's counts; ARGV: prefix of the lane's keys, how many minutes before the current one.
 * Answers [now (epoch ms), counts, [current minute, …], waiting, delayed, active, since when the longest waiting waits or 0,
 * error types and how often they came, the most frequent first].
 *
 * BullMQ orders its prioritized set by priority × 2³² + a counter: the first of each priority has waited longest of those,
 * from when it was accepted, or its delay or pause was over. Priorities are 1 to 100, so that many steps at most.
 */
const READ_SCRIPT = `
local lane = ARGV[1]
local time = redis.call('TIME')
local minutes = {}
for back = 0, tonumber(ARGV[2]) do
  minutes[back + 1] = redis.call('HGETALL', string.format('%s:minute:%d', lane, math.floor(time[1] / 60) - back))
end
local queue = lane .. ':queue:'
local since, low = 0, '-inf'
for step = 1, 101 do
  local first = redis.call('ZRANGEBYSCORE', queue .. 'prioritized', low, '+inf', 'WITHSCORES', 'LIMIT', 0, 1)
  if not first[1] then break end
  local job, retryAt = unpack(redis.call('HMGET', lane .. ':job:' .. first[1], 'job', 'retryAt'))
  if job then
    local from = math.max(tonumber(string.match(job, '"issuedAt":(%d+)') or 0), tonumber(string.match(job, '"startAfter":(%d+)') or 0), tonumber(retryAt or 0))
    if from > 0 and (since == 0 or from < since) then since = from end
  end
  low = string.format('%.0f', (math.floor(tonumber(first[2]) / 4294967296) + 1) * 4294967296)
end
local waiting = redis.call('LLEN', queue .. 'wait') + redis.call('LLEN', queue .. 'paused') + redis.call('ZCARD', queue .. 'prioritized')
return {
  string.format('%.0f', time[1] * 1000 + math.floor(time[2] / 1000)), redis.call('HGETALL', KEYS[1]), minutes,
  waiting, redis.call('ZCARD', queue .. 'delayed'), redis.call('LLEN', queue .. 'active'), string.format('%.0f', since),
  redis.call('ZREVRANGE', lane .. ':errors', 0, 49, 'WITHSCORES')
}
`;

type Answer = [
  now: string,
  counts: string[],
  minutes: string[][],
  waiting: number,
  delayed: number,
  active: number,
  since: string,
  errors: string[],
];

declare module 'ioredis' {
  interface RedisCommander<Context> {
    readLane(counts: string, lanePrefix: string, minutesBack: number): Result<Answer, Context>;
  }
}

export interface LaneReading {
  readonly lane: string;
  /** Epoch ms, on the lane's server's clock. */
  readonly now: number;
  readonly totals: Counts;
  /** The current minute, then those before it. */
  readonly minutes: readonly Counts[];
  readonly waiting: number;
  readonly delayed: number;
  readonly active: number;
  readonly oldestWaitingMs: number | null;
}

export function defineReadLane(redis: Redis): void {
  redis.defineCommand('readLane', { numberOfKeys: 1, lua: READ_SCRIPT });
}

/** One command. */
export async function readLane(redis: Redis, keys: RedisKeys, lane: string, minutesBack: number): Promise<LaneReading> {
  const [now, counts, minutes, waiting, delayed, active, since, errors] = await redis.readLane(
    keys.counts(lane), keys.queuePrefix(lane), minutesBack,
  ); // prettier-ignore
  const oldestWaitingMs = waiting === 0 || since === '0' ? null : Math.max(0, Number(now) - Number(since));
  const totals = parseCounts(counts);
  for (let index = 0; index + 1 < errors.length; index += 2) totals.errors.set(errors[index] ?? '', Number(errors[index + 1]));
  return {
    lane, now: Number(now), totals, minutes: minutes.map(parseCounts), waiting, delayed, active, oldestWaitingMs,
  }; // prettier-ignore
}
