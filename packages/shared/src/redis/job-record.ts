import type { Redis, Result } from 'ioredis';
import { COUNT_OUTCOME } from '../metrics/tally-scripts';
import { defineNoteLoss } from './attempt-note';
import { LAPSE, NOW_MS } from './caller-hold';
import { defineCancelCommands } from './job-cancel';
import { defineRetryCommand } from './job-retry';
import { IS_WHOLE } from './large-content';
import { READ_RECORD, TRY_COMMAND } from '../redis-layout/script-guards';
import { defineUndoStart } from './undo-start';
import type { RedisKeys } from '../redis-layout/redis-keys';

/**
 * The job record, a hash per job, is the only truth about a job; BullMQ's state is transport.
 *
 *   (none) ──accept──▶ waiting, delayed ──start──▶ active ──finish──▶ finished ──TTL──▶ (none)
 *                        │                  ▲   ▲  │  │
 *                        │                  │   └──┘  │ re-delivery (start again: attempt + 1, new token)
 *                        │               delayed ◀────┘ retry: the attempt has ended, and the job starts again later
 *                        └──finish (expired, rejected, cancelled)──▶ finished
 *
 * `delayed` stays until the next start: that its time has come is BullMQ's to see, and shows as `waiting`.
 */
export const RECORD_FIELDS = {
  /** Sealed: the job without its payload. */
  job: 'job',
  /** `waiting` | `delayed` | `active` | `finished`. */
  state: 'state',
  /** Token of the current attempt; only its holder may write the outcome. */
  token: 'token',
  /** JSON array of attempts. */
  attempts: 'attempts',
  /** Token of the take that made the last attempt, until the job has ended: the same take asked again gets the same answer. */
  startedBy: 'startedBy',
  /** Epoch milliseconds, on Redis' clock, before which a job that is to be retried does not start; see `job-retry.ts`. */
  retryAt: 'retryAt',
  /** Epoch milliseconds, on Redis' clock, until which a caller waits for it; and since when nobody has. See `caller-hold.ts`. */
  heldUntil: 'heldUntil',
  lapsed: 'lapsed',
  /** Sealed: how the last attempt ended, while a retry is due. */
  lastEnd: 'lastEnd',
  /** Sealed outcome; a large one stands under a key of its own, and here how many bytes it has (`large-content.ts`). */
  outcome: 'outcome',
  outcomeBytes: 'outcomeBytes',
  /** Epoch milliseconds at which somebody asked for its cancellation; see `job-cancel.ts`. */
  cancelRequested: 'cancelRequested',
  /** Epoch milliseconds at which a worker node took it upon itself to write that outcome. */
  cancelClaimed: 'cancelClaimed',
  /** Payload bytes the job counts for against `PYTHON3_QUEUE_MAX_BYTES`; gone once they are given back. */
  queuedBytes: 'queuedBytes',
  /** `1`, written behind the queue entry where a replica is to confirm both (`PYTHON3_DURABILITY=replica`). */
  queued: 'queued',
} as const;

/**
 * Takes a job that the queue has handed over, atomically, before anything is decided about it.
 * KEYS[1] record; ARGV: token, worker, now (epoch ms), delivery, most starts, intent (`run`, `run-held` where it starts only while its caller waits, or `close` to end it unrun),
 * queue lock and its value, or nothing (a key of the record's own hash tag). With a lock: only while it is held, so that a
 * take that hung on its way to Redis cannot fence off the node that has the job now.
 * Answers [verdict, attempts JSON]: `start` (the marker is written: user code may run), `close` (its outcome may be
 * written), `unknown` (no record), `finished`, `lost` (at-most-once and already started), `exhausted` (started too often),
 * `unheld` (the lock is somebody else's or nobody's), `cancel` (its cancellation was asked for: it must not start, and its
 * outcome may be written), `cancelled` (the like, and it has an outcome already), `early` (a retry whose time has not come;
 * third comes how many ms are left), `lapsed` (nobody holds it: put it back for
 * as many ms as come third), `abandoned` (nobody has held it for long: its outcome may be written), `damaged` (nobody can read how often it was started: its outcome may be written). Unless unknown, finished, cancelled, early, lapsed or unheld the job is this token's from now
 * on, and an attempt that still runs elsewhere is fenced off.
 *
 * A command whose answer was lost with its connection is sent again. A take that has started the job then finds its own
 * attempt, and gets that instead of a second one; if somebody else has taken the job since, it is `unheld`.
 */
const TAKE_SCRIPT = `
${READ_RECORD}
${NOW_MS}
${LAPSE}
if ARGV[8] and redis.pcall('GET', ARGV[7]) ~= ARGV[8] then return {'unheld', '[]'} end
local state, attempts, isCancelled, token, startedBy, retryAt, heldUntil, lapsed =
  unpack(readFields(KEYS[1], 'state', 'attempts', 'cancelRequested', 'token', 'startedBy', 'retryAt', 'heldUntil', 'lapsed'), 1, 8)
if not state then return {'unknown', '[]'} end
local started = readAttempts(attempts)
if not started then
  if state == 'finished' then return {isCancelled and 'cancelled' or 'finished', '[]'} end
  redis.call('HDEL', KEYS[1], 'attempts', 'startedBy')
  redis.call('HSET', KEYS[1], 'token', ARGV[1])
  return {isCancelled and 'cancel' or 'damaged', '[]'}
end
attempts = attempts or '[]'
if state == 'finished' then return {isCancelled and 'cancelled' or 'finished', attempts} end
if startedBy == ARGV[1] then
  if token ~= ARGV[1] or state ~= 'active' then return {'unheld', attempts} end
  return {isCancelled and 'cancel' or 'start', attempts}
end
if state == 'delayed' and retryAt and ARGV[6] == 'run' and not isCancelled then
  local left = (tonumber(retryAt) or 0) - nowMs()
  if left > 0 then return {'early', attempts, left} end
end
local isAbandoned = false
if ARGV[6] == 'run-held' and not isCancelled and not (#started > 0 and ARGV[4] == 'at-most-once') then
  local left = lapse(KEYS[1], heldUntil, lapsed)
  if left and left > 0 then return {'lapsed', attempts, left} end
  isAbandoned = left == 0
end
redis.call('HSET', KEYS[1], 'token', ARGV[1])
if isCancelled then return {'cancel', attempts} end
if isAbandoned then return {'abandoned', attempts} end
if #started > 0 and ARGV[4] == 'at-most-once' then return {'lost', attempts} end
if ARGV[6] == 'close' then return {'close', attempts} end
if #started >= tonumber(ARGV[5]) then return {'exhausted', attempts} end
if #started > 0 and not started[#started].status then started[#started].status = 'lost' end
started[#started + 1] = { number = #started + 1, worker = ARGV[2], startedAt = tonumber(ARGV[3]) }
attempts = cjson.encode(started)
redis.call('HSET', KEYS[1], 'state', 'active', 'attempts', attempts, 'startedBy', ARGV[1])
return {'start', attempts}
`;

/** What Redis needs for a finished record besides its long fields: hash, key, index entries. */
export const RECORD_OVERHEAD_BYTES = 800;

/**
 * Writes the outcome if there is none, and only for the current attempt. Publishes it to whoever waits; a large one is fetched by the waiter instead.
 * The job leaves the index of open jobs and enters those of outcomes, with the bytes its record holds for its owner.
 * It is counted in the same step (`tally-scripts.ts`). An index or counter that is not what it should be keeps no outcome from being written.
 * KEYS: see `finishJobKeys`; ARGV: token, sealed outcome, TTL (ms), reply channel or '', job id, most bytes published, tally,
 * where the outcome is staged and its size, or nothing (the outcome is then given whole).
 * Answers `written`, `finished`, `stale`, `unknown` or `unstaged` (what was staged is gone: nothing is written).
 */
export const FINISH_SCRIPT = `
${TRY_COMMAND}
${IS_WHOLE}
${READ_RECORD}
local state, token, queuedBytes = unpack(readFields(KEYS[1], 'state', 'token', 'queuedBytes'))
if not state then return 'unknown' end
if state == 'finished' then return 'finished' end
if token ~= ARGV[1] then return 'stale' end
local lane = string.match(KEYS[1], '^(.*}):job:')
local size = #ARGV[2]
local place = ''
if ARGV[8] and ARGV[8] ~= '' then
  if not isWhole(ARGV[8], ARGV[9]) then return 'unstaged' end
  size = tonumber(ARGV[9])
  place = lane .. ':outcome:' .. ARGV[5]
  redis.call('RENAME', ARGV[8], place)
  redis.call('PEXPIRE', place, ARGV[3])
end
redis.call('HDEL', KEYS[1], 'queuedBytes', 'startedBy', 'retryAt', 'lastEnd', 'heldUntil', 'lapsed')
if place == '' then redis.call('HSET', KEYS[1], 'state', 'finished', 'outcome', ARGV[2])
else redis.call('HSET', KEYS[1], 'state', 'finished', 'outcomeBytes', size) end
redis.call('PEXPIRE', KEYS[1], ARGV[3])
redis.call('UNLINK', KEYS[2])
-- the lane's counter has the hash tag of the record; records of other makers have no queuedBytes
if queuedBytes and string.match(queuedBytes, '^[1-9]%d*$') then try(lane, 'DECRBY', lane .. ':queued-bytes', queuedBytes) end
try(lane, 'ZREM', KEYS[3], ARGV[5])
local bytes = size + redis.call('HSTRLEN', KEYS[1], 'job') + ${RECORD_OVERHEAD_BYTES}
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local member = ARGV[5] .. ' ' .. bytes
local owner = string.match(KEYS[4], '}:outcomes:(.*)$')
try(lane, 'ZADD', KEYS[4], now, member)
try(lane, 'ZADD', KEYS[5], now + ARGV[3], member .. ' ' .. owner)
try(lane, 'HINCRBY', KEYS[6], owner, bytes)
if ARGV[4] ~= '' then
  local body = #ARGV[2] <= tonumber(ARGV[6]) and ARGV[2] or ''
  redis.call('PUBLISH', ARGV[4], ARGV[5] .. '\\n' .. body)
end
local tally = ARGV[7]
${COUNT_OUTCOME}
return 'written'
`;

/** What a worker node means to do with a job it takes. */
export type TakeIntent = 'run' | 'run-held' | 'close';
export type TakeVerdict =
  | 'start'
  | 'close'
  | 'unknown'
  | 'finished'
  | 'lost'
  | 'exhausted'
  | 'unheld'
  | 'early'
  | 'lapsed'
  | 'abandoned'
  | 'cancel'
  | 'cancelled'
  | 'damaged';
export type FinishVerdict = 'written' | 'finished' | 'stale' | 'unknown' | 'unstaged';

/** Outcomes up to this size travel on the reply channel; larger ones are fetched from the record. */
export const MAX_PUBLISHED_BYTES = 32_768;

export type FinishJobKeys = readonly [record: string, payload: string, open: string, outcomes: string, expiry: string, bytes: string];

/** The keys of `finishJob`, all of one lane. The owner is '' where nobody knows whose job it is. */
export function finishJobKeys(keys: RedisKeys, lane: string, jobId: string, owner = ''): FinishJobKeys {
  return [
    keys.jobRecord(lane, jobId),
    keys.jobPayload(lane, jobId),
    keys.openJobs(lane),
    keys.outcomes(lane, owner),
    keys.outcomeExpiry(lane),
    keys.outcomeBytes(lane),
  ];
}

declare module 'ioredis' {
  interface RedisCommander<Context> {
    takeJob(
      record: string,
      token: string,
      worker: string,
      now: number,
      delivery: string,
      mostStarts: number,
      intent: TakeIntent,
      ...lock: [] | [key: string, token: string]
    ): Result<[verdict: TakeVerdict, attempts: string, leftMs?: number], Context>;
    finishJob(
      ...args: [...keys: FinishJobKeys, ...values: FinishJobArguments['values']]
    ): Result<FinishVerdict, Context>; // prettier-ignore
  }
}

/** What `finishJob` is called with, for who calls it as a part of something larger. */
export interface FinishJobArguments {
  readonly keys: FinishJobKeys;
  readonly values: readonly [
    token: string,
    outcome: Buffer,
    ttlMs: number,
    replyChannel: string,
    jobId: string,
    mostPublishedBytes: number,
    /** See `formatTally`. */
    tally: string,
    /** Of an outcome that is staged; the one above is then empty. */
    ...staged: [] | [key: string, bytes: number],
  ];
}

/** Gives the connection the two commands above, and those of `job-cancel.ts` and `job-retry.ts`. */
export function defineJobCommands(redis: Redis): Redis {
  redis.defineCommand('takeJob', { numberOfKeys: 1, lua: TAKE_SCRIPT });
  redis.defineCommand('finishJob', { numberOfKeys: 6, lua: FINISH_SCRIPT });
  defineUndoStart(redis);
  defineNoteLoss(redis);
  return defineCancelCommands(defineRetryCommand(redis));
}
