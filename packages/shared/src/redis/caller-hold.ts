import type { Redis, Result } from 'ioredis';

/**
 * A job whose caller waits for its end, and must not act on the plant once that caller is gone, is held:
 *
 *   API replica ──accept: held until T + 2 s──▶ record ◀──renewed every second, while the caller waits── API replica
 *   worker node ──takeJob──▶ still held: it starts · else it is put back: the replica may just have lost Redis
 *                            · not held for GRACE more: its outcome is `expired`
 *
 * All times are on Redis' own clock, and the earliest it can have been at that moment (`redis-clock.ts` of the API): a command that
 * Redis carries out late, because it hung or the network did, prolongs nothing, and an accept that is late accepts nothing. So
 * whoever is told that nobody knows whether his job was accepted may also be told that it does not start any more.
 */
export const HOLD_MS = 2_000;
export const HOLD_RENEW_MS = 1_000;

/** Callers wait on through an outage of Redis; after it, this long, whichever comes back first. */
export const HOLD_GRACE_MS = 4_000;
/** How soon a job that is not held is looked at again. */
const LOOK_AGAIN_MS = 500;

/** `nowMs()`: Redis' clock. A part of scripts. */
export const NOW_MS = `
local function nowMs()
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end
`;

/**
 * `lapse(record, heldUntil, lapsed)`: nothing while the job is held; else how long it is put back for (ms), or 0: for good. A
 * part of scripts. `lapsed`: `<since> <heldUntil>`, when that was first found; a renewal makes it void.
 */
export const LAPSE = `
local function lapse(record, heldUntil, lapsed)
  local now = nowMs()
  local ends = tonumber(heldUntil or '') or 0
  if now <= ends then return nil end
  local since, of = string.match(lapsed or '', '^(%d+) (%d+)$')
  if of ~= string.format('%.0f', ends) then
    redis.call('HSET', record, 'lapsed', string.format('%.0f %.0f', now, ends))
    return ${LOOK_AGAIN_MS}
  end
  if now - since < ${HOLD_GRACE_MS} then return ${LOOK_AGAIN_MS} end
  return 0
end
`;

/**
 * Renews holds of one lane; not those of jobs that have ended, or were never held.
 * KEYS[1] prefix of the lane's records; ARGV: until (epoch ms, Redis' clock), job ids.
 */
const RENEW_SCRIPT = `
${NOW_MS}
if nowMs() > tonumber(ARGV[1]) then return 0 end
local renewed = 0
for index = 2, #ARGV do
  local record = KEYS[1] .. ARGV[index]
  if type(redis.pcall('HGET', record, 'heldUntil')) == 'string' then
    redis.call('HSET', record, 'heldUntil', ARGV[1])
    renewed = renewed + 1
  end
end
return renewed
`;

declare module 'ioredis' {
  interface RedisCommander<Context> {
    renewHolds(recordPrefix: string, until: number, ...jobIds: string[]): Result<number, Context>;
  }
}

/** Gives the connection the command above. */
export function defineHoldCommand(redis: Redis): Redis {
  redis.defineCommand('renewHolds', { numberOfKeys: 1, lua: RENEW_SCRIPT });
  return redis;
}
