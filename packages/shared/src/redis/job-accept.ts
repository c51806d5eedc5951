/**
 * Writes the record of a job that is being accepted, its expiry, its place among the open jobs, and its content if that is
 * too large for the queue entry. To be followed, within one script, by what puts the entry into the queue.
 *
 *   index of open jobs ─▶ record ─▶ its expiry ─▶ payload, if large ─▶ (queue entry)
 *
 * KEYS: see `AcceptJobKeys`; ARGV: see `AcceptJobValues`. Answers whether there was no such record: a job that is sent a
 * second time is not counted a second time.
 */
export const ACCEPT_SCRIPT = `
-- first: where the index is not what it should be, nothing is accepted
redis.call('ZADD', KEYS[2], ARGV[5], ARGV[4])
local isNew = redis.call('HSET', KEYS[1], 'job', ARGV[1], 'state', ARGV[7], 'queuedBytes', ARGV[2]) == 3
if ARGV[8] ~= '' then redis.call('HSET', KEYS[1], 'queued', ARGV[8]) end
redis.call('PEXPIRE', KEYS[1], ARGV[3])
if ARGV[6] ~= '' then redis.call('SET', KEYS[3], ARGV[6], 'PX', ARGV[3]) end
return isNew
`;

export type AcceptJobKeys = readonly [record: string, open: string, payload: string];

export type AcceptJobValues = readonly [
  sealedHead: Buffer,
  payloadBytes: number,
  keepMs: number,
  jobId: string,
  issuedAt: number,
  /** Empty where the queue entry has it. */
  sealedContent: Buffer | '',
  state: 'waiting' | 'delayed',
  /** `1` where a replica is to confirm record and entry: whoever finds it finds both. */
  queued: '' | '1',
  /** What it is counted as; see `acceptedField`. */
  counted: string,
];
