import type { Redis, Result } from 'ioredis';
import { READ_RECORD } from '../redis-layout/script-guards';

/**
 * Takes a start back that no replica confirmed, before any code ran: the attempt is forgotten, so that it counts neither
 * as a run of an `at-most-once` job nor towards the most starts.
 * KEYS[1] record; ARGV: token of the attempt. Answers 1, or 0 where the job is somebody else's by now.
 */
const UNDO_SCRIPT = `
${READ_RECORD}
local state, token, attempts = unpack(readFields(KEYS[1], 'state', 'token', 'attempts'))
if state ~= 'active' or token ~= ARGV[1] then return 0 end
redis.call('HDEL', KEYS[1], 'startedBy')
local started = readAttempts(attempts) or {}
started[#started] = nil
if #started == 0 then
  redis.call('HSET', KEYS[1], 'state', 'waiting')
  redis.call('HDEL', KEYS[1], 'attempts')
else
  redis.call('HSET', KEYS[1], 'attempts', cjson.encode(started))
end
return 1
`;

declare module 'ioredis' {
  interface RedisCommander<Context> {
    undoStart(record: string, token: string): Result<number, Context>;
  }
}

export function defineUndoStart(redis: Redis): void {
  redis.defineCommand('undoStart', { numberOfKeys: 1, lua: UNDO_SCRIPT });
}
