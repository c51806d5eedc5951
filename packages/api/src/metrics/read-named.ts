import type { RedisKeys } from '@python3-cluster/shared';
import type { Redis, Result } from 'ioredis';
import { addCounts, createCounts, parseCounts, type Counts } from './lane-counts';
import type { FiguresReader } from './figures-reader';

/**
 * The most frequent programs or callers of a lane, with their counters.
 * KEYS[1] the sorted set of names; ARGV: prefix of the hash of each, how many. Answers [[name, hash], …].
 */
const READ_SCRIPT = `
local entries = {}
for index, name in ipairs(redis.call('ZREVRANGE', KEYS[1], 0, ARGV[2] - 1)) do
  entries[index] = { name, redis.call('HGETALL', ARGV[1] .. name) }
end
return entries
`;

/**
 * Counters of consecutive minutes of a lane.
 * KEYS[1] the lane's counts; ARGV: prefix of the lane's keys, first and last minute. Answers [hash, …].
 */
const MINUTES_SCRIPT = `
local minutes = {}
for minute = tonumber(ARGV[2]), tonumber(ARGV[3]) do minutes[#minutes + 1] = redis.call('HGETALL', string.format('%s:minute:%d', ARGV[1], minute)) end
return minutes
`;

declare module 'ioredis' {
  interface RedisCommander<Context> {
    readNamedCounts(names: string, hashPrefix: string, most: number): Result<[name: string, fields: string[]][], Context>;
    readMinuteCounts(counts: string, lanePrefix: string, first: number, last: number): Result<string[][], Context>;
  }
}

export function defineReadNamed(redis: Redis): void {
  redis.defineCommand('readNamedCounts', { numberOfKeys: 1, lua: READ_SCRIPT });
  redis.defineCommand('readMinuteCounts', { numberOfKeys: 1, lua: MINUTES_SCRIPT });
}

export interface NamedCounts {
  readonly name: string;
  readonly counts: Counts;
}

interface StoreTools {
  readonly redis: Redis;
  readonly keys: RedisKeys;
  readonly reader: FiguresReader;
}

/** Names each lane keeps; `shared/src/metrics/tally-scripts.ts`. */
export const MOST_NAMED = 200;

/** Programs or callers over all lanes, the most frequent first. @throws ClusterError QUEUE_UNAVAILABLE */
export async function readNamedCounts({ redis, keys, reader }: StoreTools, member: 'program' | 'caller', most: number): Promise<NamedCounts[]> {
  const byName = new Map<string, Counts>();
  const lanes = await reader.ofEachLane((lane) =>
    redis.readNamedCounts(keys.countedNames(lane, `${member}s`), keys.namedCounts(lane, member, ''), MOST_NAMED),
  );
  for (const [name, fields] of lanes.flat()) {
    const sum = byName.get(name) ?? createCounts();
    byName.set(name, sum);
    addCounts(sum, parseCounts(fields));
  }
  return [...byName]
    .map(([name, counts]) => ({ name, counts, jobs: jobsOf(counts) }))
    .sort((a, b) => b.jobs - a.jobs || (a.name < b.name ? -1 : 1))
    .slice(0, most);
} // prettier-ignore

const jobsOf = ({ kinds }: Counts): number => {
  let jobs = 0;
  for (const statuses of kinds.values()) for (const count of Object.values(statuses)) jobs += count;
  return jobs;
};

/** Minutes asked for in one command: about a millisecond of Redis' time. */
const MINUTES_A_COMMAND = 20;

/** Counters of each of these minutes, over all lanes or one. @throws ClusterError QUEUE_UNAVAILABLE */
export async function readMinutes({ redis, keys, reader }: StoreTools, first: number, last: number, only?: string): Promise<Counts[]> {
  const minutes = Array.from({ length: last - first + 1 }, createCounts);
  await reader.ofEachLane(async (lane) => {
    if (only !== undefined && lane !== only) return;
    for (let from = first; from <= last; from += MINUTES_A_COMMAND) {
      const to = Math.min(last, from + MINUTES_A_COMMAND - 1);
      const hashes = await redis.readMinuteCounts(keys.counts(lane), keys.queuePrefix(lane), from, to);
      for (const [index, fields] of hashes.entries()) {
        const minute = minutes[from - first + index];
        if (minute !== undefined) addCounts(minute, parseCounts(fields));
      }
    }
  });
  return minutes;
}
