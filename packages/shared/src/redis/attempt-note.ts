import type { Redis, Result } from 'ioredis';
import { READ_RECORD } from '../redis-layout/script-guards';

/** Why a node gave up an attempt that has no end of its own. */
export type LossType = 'LockLost' | 'TemplateLost';

/**
 * Writes down why the current attempt was given up, for whoever finds it without an end. Best effort: an attempt without a note is one whose
 * node went down, or could not reach Redis before somebody else had the job.
 * KEYS[1] record; ARGV: token of the attempt, type, message. Answers 1, or 0 where the job is somebody else's by now.
 */
const NOTE_SCRIPT = `
${READ_RECORD}
local state, token, attempts = unpack(readFields(KEYS[1], 'state', 'token', 'attempts'))
if state ~= 'active' or token ~= ARGV[1] then return 0 end
local all = readAttempts(attempts)
if not all or #all == 0 then return 0 end
all[#all].error = { type = ARGV[2], message = ARGV[3] }
redis.call('HSET', KEYS[1], 'attempts', cjson.encode(all))
return 1
`;

declare module 'ioredis' {
  interface RedisCommander<Context> {
    noteLoss(record: string, token: string, type: LossType, message: string): Result<number, Context>;
  }
}

export function defineNoteLoss(redis: Redis): void {
  redis.defineCommand('noteLoss', { numberOfKeys: 1, lua: NOTE_SCRIPT });
}
