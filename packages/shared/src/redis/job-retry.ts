import type { Redis, Result } from 'ioredis';
import { READ_RECORD } from '../redis-layout/script-guards';

/**
 * Starting a job again after its code has ended in a way it asked to be retried on. The end is no outcome then, and is
 * written into the attempt instead:
 *
 *   active ──retryJob──▶ delayed (record: end of the attempt, retryAt) ──then──▶ the queue's entry is moved to delayed
 *
 * Between the two steps the node may go down. Then the queue finds the entry without a lock and hands it out again, and
 * `takeJob` answers `early` until `retryAt`: nothing is lost, and nothing runs before its time. Only the holder of the
 * attempt's token can do this, so that an attempt that was given up cannot end one that runs now.
 */

/**
 * Records the end of the current attempt and puts the job off, unless its cancellation was asked for. Asked again by the
 * same attempt it answers the same.
 * KEYS[1] record; ARGV: token, the attempt's end (JSON object), how long it waits now (ms), the sealed end.
 * Answers `retry`, `cancel` (the end is to become the outcome), `finished`, `stale` (the token is another's), `unknown`,
 * `damaged` (the attempts cannot be read: the end is to become the outcome).
 */
const RETRY_SCRIPT = `
${READ_RECORD}
local state, token, attempts, isCancelled = unpack(readFields(KEYS[1], 'state', 'token', 'attempts', 'cancelRequested'))
if not state then return 'unknown' end
if state == 'finished' then return 'finished' end
if token ~= ARGV[1] then return 'stale' end
if state == 'delayed' then return 'retry' end
if isCancelled then return 'cancel' end
local all = readAttempts(attempts)
if not all or #all == 0 then return 'damaged' end
for name, value in pairs(cjson.decode(ARGV[2])) do all[#all][name] = value end
local time = redis.call('TIME')
local retryAt = time[1] * 1000 + math.floor(time[2] / 1000) + ARGV[3]
redis.call('HSET', KEYS[1], 'state', 'delayed', 'attempts', cjson.encode(all), 'retryAt', retryAt, 'lastEnd', ARGV[4])
return 'retry'
`;

export type RetryVerdict = 'retry' | 'cancel' | 'finished' | 'stale' | 'unknown' | 'damaged';

/** Ends up to this size are kept whole until the retry; of larger ones the value and the output are left out. */
export const MAX_LAST_END_BYTES = 32_768;

declare module 'ioredis' {
  interface RedisCommander<Context> {
    retryJob(record: string, token: string, end: string, backoffMs: number, sealedEnd: Buffer): Result<RetryVerdict, Context>;
  }
}

/** Gives the connection the command above. */
export function defineRetryCommand(redis: Redis): Redis {
  redis.defineCommand('retryJob', { numberOfKeys: 1, lua: RETRY_SCRIPT });
  return redis;
}
