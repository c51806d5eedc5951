/**
 * Parts of scripts for what somebody without the signing key may have written. Whoever can write to Redis can put a text
 * where a counter stood, or a list where a record stood. An error in a script stops it half way; so what matters comes
 * first, and what is only counted or indexed is tried.
 */

/** Names of a lane's keys that a script could not use; see `foreign-keys.ts`. Bounded, as callers choose names. */
const MOST_DAMAGED = 100;
const DAMAGED_TTL_MS = 3_600_000;

/**
 * `try(lane, command, key, …)`: answers nil where Redis refuses, and notes the key for the housekeeper, which reports and
 * removes it. `lane`: prefix of the lane's keys.
 */
export const TRY_COMMAND = `
local function try(lane, command, key, ...)
  local answer = redis.pcall(command, key, ...)
  if type(answer) ~= 'table' or not answer.err then return answer end
  local damaged = lane .. ':damaged'
  local known = redis.pcall('HLEN', damaged)
  if type(known) == 'number' and known < ${MOST_DAMAGED} then
    redis.pcall('HSET', damaged, key, answer.err)
    redis.pcall('PEXPIRE', damaged, ${DAMAGED_TTL_MS})
  end
  return nil
end
`;

/**
 * `readFields(record, …)`: like HMGET, and nothing at all where the record is no hash: then there is no record.
 * `readAttempts(text)`: the attempts of a record, which are not sealed; nil where that is no list of them.
 */
export const READ_RECORD = `
local function readFields(record, ...)
  local fields = redis.pcall('HMGET', record, ...)
  if fields.err then return {} end
  return fields
end
local function readAttempts(text)
  if not text then return {} end
  local isRead, attempts = pcall(cjson.decode, text)
  if not isRead or string.sub(text, 1, 1) ~= '[' then return nil end
  for _, attempt in ipairs(attempts) do
    if type(attempt) ~= 'table' then return nil end
  end
  return attempts
end
`;

/** Redis' answer to a command on a key that holds something of another type. */
export const isWrongType = (error: unknown): boolean => error instanceof Error && error.message.includes('WRONGTYPE');
