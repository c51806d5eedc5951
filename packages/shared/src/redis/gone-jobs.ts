import type { Redis, Result } from 'ioredis';

/**
 * Jobs whose outcome is no longer kept, so that whoever asks for one is told that, and not that there never was such a job. A sorted set
 * per lane, every score 0 and so in the order of the ids, which is that of their time: `<job id> <why> <owner>`. Not sealed: it says nothing
 * but that.
 */
export const WHY_GONE = { expired: 'e', removed: 'r' } as const;
export type WhyGone = keyof typeof WHY_GONE;

/** Of a lane; the oldest jobs are forgotten first. About 150 bytes each. */
const MOST_GONE = 10_000;

/** Expired records that the housekeeper has not come to yet: looked at for one answer. */
const MOST_EXPIRED = 1_000;

/** `noteGone(gone, id, why, owner)` and, behind all of them, `trimGone(gone)`. A part of scripts. */
export const NOTE_GONE = `
local function noteGone(gone, id, why, owner) redis.pcall('ZADD', gone, 0, id .. ' ' .. why .. ' ' .. owner) end
local function trimGone(gone) redis.pcall('ZREMRANGEBYRANK', gone, 0, -${MOST_GONE + 1}) end
`;

/** KEYS: gone jobs and expiry of the lane; ARGV: job id. Answers [why, owner], or nothing. */
const WHY_SCRIPT = `
local noted = redis.pcall('ZRANGEBYLEX', KEYS[1], '[' .. ARGV[1] .. ' ', '(' .. ARGV[1] .. '!', 'LIMIT', 0, 1)
local why, owner = string.match(noted[1] or '', '^%S+ (%a) (.*)$')
if why then return {why, owner} end
local time = redis.call('TIME')
local expired = redis.pcall('ZRANGEBYSCORE', KEYS[2], '-inf', time[1] * 1000 + math.floor(time[2] / 1000), 'LIMIT', 0, ${MOST_EXPIRED})
for _, member in ipairs(expired) do
  local id, of = string.match(member, '^(%S+) %d+ (.*)$')
  if id == ARGV[1] then return {'${WHY_GONE.expired}', of} end
end
return false
`;

declare module 'ioredis' {
  interface RedisCommander<Context> {
    whyGone(gone: string, expiry: string, jobId: string): Result<[why: string, owner: string] | null, Context>;
  }
}

/** Gives the connection the command above. */
export function defineWhyGone(redis: Redis): Redis {
  redis.defineCommand('whyGone', { numberOfKeys: 2, lua: WHY_SCRIPT });
  return redis;
}
