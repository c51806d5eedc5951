import { NOW_MS } from './caller-hold';
import { IS_WHOLE } from './large-content';

/**
 * Writes the record of a job that is being accepted, its expiry, its place among the open jobs, and its content if that is
 * too large for the queue entry, given whole or staged in pieces before. To be followed, within one script, by what puts the entry into the queue.
 *
 *   index of open jobs ─▶ record ─▶ its expiry ─▶ payload, if large ─▶ (queue entry)
 *
 * KEYS: see `AcceptJobKeys`; ARGV: see `AcceptJobValues`. Answers whether there was no such record: a job that is sent a
 * second time is not counted a second time.
 */
export const ACCEPT_SCRIPT = `
${IS_WHOLE}
${NOW_MS}
if ARGV[12] ~= '' and nowMs() > tonumber(ARGV[12]) then error('LATE: nothing is accepted any more') end
if ARGV[10] ~= '' and not isWhole(ARGV[10], ARGV[11]) then error('UNSTAGED content of a job is gone') end
-- first: where the index is not what it should be, nothing is accepted
redis.call('ZADD', KEYS[2], ARGV[5], ARGV[4])
local isNew = redis.call('HSET', KEYS[1], 'job', ARGV[1], 'state', ARGV[7], 'queuedBytes', ARGV[2]) == 3
if ARGV[8] ~= '' then redis.call('HSET', KEYS[1], 'queued', ARGV[8]) end
if ARGV[12] ~= '' then redis.call('HSET', KEYS[1], 'heldUntil', ARGV[12]) end
redis.call('PEXPIRE', KEYS[1], ARGV[3])
if ARGV[6] ~= '' then
  redis.call('UNLINK', KEYS[3])
  redis.call('HSET', KEYS[3], '0', ARGV[6])
elseif ARGV[10] ~= '' then
  redis.call('RENAME', ARGV[10], KEYS[3])
end
redis.call('PEXPIRE', KEYS[3], ARGV[3])
return isNew
`;

export type AcceptJobKeys = readonly [record: string, open: string, payload: string];

export type AcceptJobValues = readonly [
  sealedHead: Buffer,
  payloadBytes: number,
  keepMs: number,
  jobId: string,
  issuedAt: number,
  /** Empty where the queue entry has it, or it is staged. */
  sealedContent: Buffer | '',
  state: 'waiting' | 'delayed',
  /** `1` where a replica is to confirm record and entry: whoever finds it finds both. */
  queued: '' | '1',
  /** What it is counted as; see `acceptedField`. */
  counted: string,
  /** Where it is staged, and its size; empty where it is not. */
  staged: string,
  stagedBytes: number | '',
  /** Epoch ms on Redis' clock, for a job whose caller waits: it is accepted by then, and held until then. */
  heldUntil: number | '',
];
