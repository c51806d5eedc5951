import type { Redis, Result } from 'ioredis';
import { READ_RECORD } from '../redis-layout/script-guards';

/**
 * Cancelling a job. The API cannot sign an outcome, so it only asks; a worker node writes `cancelled`.
 *
 *   API ──requestCancel──▶ record: cancelRequested · lane's cancel list · cancel channel
 *                                     │
 *        every worker node of the lane hears of it, or finds it in the list at its next look
 *                                     │
 *          it runs the job: kills it, and writes the outcome with the attempt's own token
 *          nobody runs it:  claimCancelled gives one node the job; it writes the outcome, and removes the queue entry
 *          it is about to:  takeJob says `cancel`; it writes the outcome and runs nothing
 *
 * Whoever writes first wins, finishing included: every way goes through the token and `finishJob`, so that there is one
 * outcome. The list makes up for messages that Redis drops and for nodes that go down over the work.
 */

/**
 * Asks for the end of a job that has none yet. Asking again announces it again and changes nothing.
 * KEYS[1] record, KEYS[2] cancel list; ARGV: job id, now (epoch ms), cancel channel.
 * Answers the state found: `unknown`, `finished` (nothing is asked for), `waiting`, `delayed` or `active`.
 */
const REQUEST_SCRIPT = `
local state = redis.call('HGET', KEYS[1], 'state')
if not state then return 'unknown' end
if state == 'finished' then return 'finished' end
redis.call('HSETNX', KEYS[1], 'cancelRequested', ARGV[2])
redis.call('ZADD', KEYS[2], 'NX', ARGV[2], ARGV[1])
redis.call('PEXPIRE', KEYS[2], math.max(redis.call('PTTL', KEYS[1]), redis.call('PTTL', KEYS[2]), 60000))
redis.call('PUBLISH', ARGV[3], ARGV[1])
return state
`;

/**
 * Gives one worker node the job whose cancellation was asked for, if nobody runs it: never started, or between attempts.
 * A claim that leads to no outcome (its node went down) may be made again after a while, by Redis' own clock.
 * KEYS[1] record, KEYS[2] the queue's lock of the job, KEYS[3] cancel list; ARGV: job id, token, how long a claim holds (ms).
 * Answers [verdict, attempts JSON]: `cancel` (the token may write its outcome), `running` (a node holds it and will see to
 * it), `claimed` (another node is at it), `unasked`, `finished`, `unknown`.
 */
const CLAIM_SCRIPT = `
${READ_RECORD}
local state, asked, attempts, claimedAt = unpack(readFields(KEYS[1], 'state', 'cancelRequested', 'attempts', 'cancelClaimed'))
if not attempts or not readAttempts(attempts) then attempts = '[]' end
claimedAt = tonumber(claimedAt or '')
if not state or state == 'finished' then
  redis.call('ZREM', KEYS[3], ARGV[1])
  return {state or 'unknown', attempts}
end
if not asked then
  redis.call('ZREM', KEYS[3], ARGV[1])
  return {'unasked', attempts}
end
if state == 'active' and redis.call('EXISTS', KEYS[2]) == 1 then return {'running', attempts} end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
if claimedAt and now - claimedAt < tonumber(ARGV[3]) then return {'claimed', attempts} end
redis.call('HSET', KEYS[1], 'token', ARGV[2], 'cancelClaimed', now)
return {'cancel', attempts}
`;

/** What the record said when its cancellation was asked for. */
export type CancelVerdict = 'unknown' | 'finished' | 'waiting' | 'delayed' | 'active';
export type ClaimVerdict = 'cancel' | 'running' | 'claimed' | 'unasked' | 'finished' | 'unknown';

/** After this a node that claimed a cancelled job and wrote nothing is taken for gone. */
export const CANCEL_CLAIM_MS = 2_000;

declare module 'ioredis' {
  interface RedisCommander<Context> {
    requestCancel(record: string, cancels: string, jobId: string, now: number, channel: string): Result<CancelVerdict, Context>;
    claimCancelled(
      record: string, queueLock: string, cancels: string,
      jobId: string, token: string, claimMs: number,
    ): Result<[ClaimVerdict, string], Context>; // prettier-ignore
  }
}

/** Gives the connection the two commands above. */
export function defineCancelCommands(redis: Redis): Redis {
  redis.defineCommand('requestCancel', { numberOfKeys: 2, lua: REQUEST_SCRIPT });
  redis.defineCommand('claimCancelled', { numberOfKeys: 3, lua: CLAIM_SCRIPT });
  return redis;
}
