import { NOTE_GONE, WHY_GONE, type RedisKeys } from '@python3-cluster/shared';
import type { Redis, Result } from 'ioredis';

/**
 * Forgets expired outcomes of a lane.
 * KEYS: expiry, bytes by owner, gone jobs; ARGV: prefix of the owners' outcomes (of this lane's hash tag), most at a time.
 * Answers [1 if there may be more, owner, bytes, owner, bytes …].
 */
const FORGET_SCRIPT = `
${NOTE_GONE}
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local expired = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now, 'LIMIT', 0, ARGV[2])
for _, member in ipairs(expired) do
  local id, size, owner = string.match(member, '^(%S+) (%d+) (.*)$')
  redis.call('ZREM', KEYS[1], member)
  if id and redis.pcall('ZREM', ARGV[1] .. owner, id .. ' ' .. size) == 1 then
    noteGone(KEYS[3], id, '${WHY_GONE.expired}', owner)
    local left = redis.pcall('HINCRBY', KEYS[2], owner, -size)
    if type(left) ~= 'number' or left <= 0 then redis.call('HDEL', KEYS[2], owner) end
  end
end
if #expired > 0 then trimGone(KEYS[3]) end
local answer = redis.call('HGETALL', KEYS[2])
table.insert(answer, 1, #expired >= tonumber(ARGV[2]) and 1 or 0)
return answer
`;

/**
 * Removes an owner's oldest outcomes of a lane until the rest fits.
 * KEYS: the owner's outcomes, expiry, bytes by owner, gone jobs; ARGV: owner, prefix of records, bytes that may stay, most removals, prefix of large outcomes.
 * Answers [removed, bytes left].
 */
const EVICT_SCRIPT = `
${NOTE_GONE}
local bytes = tonumber(redis.call('HGET', KEYS[3], ARGV[1]) or '0') or 0
local removed = 0
while bytes > tonumber(ARGV[3]) and removed < tonumber(ARGV[4]) do
  local oldest = redis.call('ZPOPMIN', KEYS[1])[1]
  -- Nothing left: whatever the sum says is an error of its own.
  if not oldest then bytes = 0 break end
  local id, size = string.match(oldest, '^(%S+) (%d+)$')
  redis.call('ZREM', KEYS[2], oldest .. ' ' .. ARGV[1])
  if id then
    redis.call('UNLINK', ARGV[2] .. id, ARGV[5] .. id)
    noteGone(KEYS[4], id, '${WHY_GONE.removed}', ARGV[1])
  end
  bytes = bytes - (size or 0)
  removed = removed + 1
end
if removed > 0 then trimGone(KEYS[4]) end
if bytes <= 0 then redis.call('HDEL', KEYS[3], ARGV[1]) else redis.call('HSET', KEYS[3], ARGV[1], string.format('%.0f', bytes)) end
return {removed, bytes}
`;

declare module 'ioredis' {
  interface RedisCommander<Context> {
    forgetExpired(
      expiry: string,
      bytes: string,
      gone: string,
      outcomesPrefix: string,
      most: number,
    ): Result<[more: number, ...(string | number)[]], Context>;
    evictOutcomes(
      outcomes: string, expiry: string, bytes: string, gone: string,
      owner: string, recordPrefix: string, keepBytes: number, most: number, outcomePrefix: string,
    ): Result<[removed: number, bytes: number], Context>; // prettier-ignore
  }
}

/** Outcomes that one script looks at or removes: a millisecond or two of Redis' time. */
const MOST_A_STEP = 200;

/** Finished records of a lane, by owner and age, with the bytes they hold. `finishJob` writes it. */
export class OutcomeIndex {
  constructor(
    private readonly redis: Redis,
    private readonly keys: RedisKeys,
  ) {
    redis.defineCommand('forgetExpired', { numberOfKeys: 3, lua: FORGET_SCRIPT });
    redis.defineCommand('evictOutcomes', { numberOfKeys: 4, lua: EVICT_SCRIPT });
  }

  /** One step; what each owner holds after it. */
  async forgetExpired(lane: string): Promise<{ readonly hasMore: boolean; readonly held: ReadonlyMap<string, number> }> {
    const { redis, keys } = this;
    const [more, ...flat] = await redis.forgetExpired(
      keys.outcomeExpiry(lane),
      keys.outcomeBytes(lane),
      keys.gone(lane),
      keys.outcomes(lane, ''),
      MOST_A_STEP,
    );
    const held = new Map<string, number>();
    for (let at = 0; at < flat.length; at += 2) held.set(String(flat[at]), Number(flat[at + 1]) || 0);
    return { hasMore: more === 1, held };
  }

  /** One step towards no more than `keepBytes`. */
  async evict(lane: string, owner: string, keepBytes: number): Promise<{ readonly removed: number; readonly bytes: number }> {
    const { redis, keys } = this;
    const [removed, bytes] = await redis.evictOutcomes(
      keys.outcomes(lane, owner), keys.outcomeExpiry(lane), keys.outcomeBytes(lane), keys.gone(lane),
      owner, keys.jobRecord(lane, ''), keepBytes, MOST_A_STEP, keys.jobOutcome(lane, ''),
    ); // prettier-ignore
    return { removed, bytes };
  }
}
