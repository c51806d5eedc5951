import type { Redis, Result } from 'ioredis';
import { TRY_COMMAND } from '../redis-layout/script-guards';
import { MINUTES_KEPT } from './tally-scripts';

/** What is measured of jobs whose code ran: times in ms, memory in MB. */
export const MEASURES = ['queued', 'run', 'cpu', 'memory'] as const;
export type Measure = (typeof MEASURES)[number];

/** Sums are kept as integers of this fraction: µs, or thousandths of a MB. */
export const SUM_FRACTION = 1_000;

/**
 * Adds what a worker node has measured since it last did, to the lane's counters and to those of programs and callers that
 * are counted (others were pushed out, or come to be counted with the next). One command per lane and second.
 *
 * KEYS[1] the lane's `counts`; ARGV: prefix of the lane's keys, batch, mark of the worker node (key and value).
 * Batch: JSON [[key suffix, [field, number, …], [measure, least, most, …]], …]; the suffix '' stands for the lane itself.
 * A batch that is sent again, as its answer was lost with the connection, finds its mark and adds nothing. Answers 1 or 0.
 */
const ADD_SCRIPT = `
${TRY_COMMAND}
local lane = ARGV[1]
if redis.pcall('GET', ARGV[3]) == ARGV[4] then return 0 end
redis.call('SET', ARGV[3], ARGV[4], 'PX', 60000)
local function add(key, fields)
  for index = 1, #fields, 2 do try(lane, 'HINCRBY', key, fields[index], fields[index + 1]) end
end
local function widen(key, ranges)
  for index = 1, #ranges, 3 do
    local least, most = ranges[index] .. ':min', ranges[index] .. ':max'
    local known = try(lane, 'HMGET', key, least, most)
    if not known then return end
    local lowest, highest = tonumber(known[1] or ''), tonumber(known[2] or '')
    if not lowest or ranges[index + 1] < lowest then redis.call('HSET', key, least, ranges[index + 1]) end
    if not highest or ranges[index + 2] > highest then redis.call('HSET', key, most, ranges[index + 2]) end
  end
end
for _, entry in ipairs(cjson.decode(ARGV[2])) do
  local suffix, fields, ranges = unpack(entry)
  if suffix == '' then
    add(KEYS[1], fields)
    widen(KEYS[1], ranges)
    local minute = string.format('%s:minute:%d', ARGV[1], math.floor(redis.call('TIME')[1] / 60))
    add(minute, fields)
    redis.call('PEXPIRE', minute, ${MINUTES_KEPT * 60_000})
  elseif redis.call('EXISTS', ARGV[1] .. ':' .. suffix) == 1 then
    add(ARGV[1] .. ':' .. suffix, fields)
    widen(ARGV[1] .. ':' .. suffix, ranges)
  end
end
return 1
`;

export type SampleBatch = readonly (readonly [
  suffix: string,
  fields: readonly (string | number)[],
  ranges: readonly (string | number)[],
])[];

declare module 'ioredis' {
  interface RedisCommander<Context> {
    addSamples(counts: string, lanePrefix: string, batch: string, mark: string, sequence: string): Result<0 | 1, Context>;
  }
}

export function defineAddSamples(redis: Redis): void {
  redis.defineCommand('addSamples', { numberOfKeys: 1, lua: ADD_SCRIPT });
}
