import type { Redis, Result } from 'ioredis';
import { STRAY_AGE_MS, type RedisKeys } from '@python3-cluster/shared';

/**
 * Looks through a part of a lane's open jobs. Removes those whose record is gone or finished.
 * KEYS[1] open jobs; ARGV: cursor, how many, least age (ms), prefix of records, prefix of queue entries (both of this
 * lane's hash tag). Answers [next cursor, ids of jobs that are old enough and have no queue entry, ids whose record was none and is removed].
 */
const FIND_SCRIPT = `
local time = redis.call('TIME')
local acceptedBefore = time[1] * 1000 + math.floor(time[2] / 1000) - ARGV[3]
local scan = redis.call('ZSCAN', KEYS[1], ARGV[1], 'COUNT', ARGV[2])
local strays, foreign = {}, {}
for index = 1, #scan[2], 2 do
  local id = scan[2][index]
  if tonumber(scan[2][index + 1]) < acceptedBefore then
    local state = redis.pcall('HGET', ARGV[4] .. id, 'state')
    if type(state) == 'table' then
      redis.call('UNLINK', ARGV[4] .. id)
      redis.call('ZREM', KEYS[1], id)
      foreign[#foreign + 1] = id
    elseif not state or state == 'finished' then redis.call('ZREM', KEYS[1], id)
    elseif redis.call('EXISTS', ARGV[5] .. id) == 0 then strays[#strays + 1] = id end
  end
end
return {scan[1], strays, foreign}
`;

declare module 'ioredis' {
  interface RedisCommander<Context> {
    findStrayJobs(
      open: string,
      cursor: string,
      count: number,
      ageMs: number,
      recordPrefix: string,
      entryPrefix: string,
    ): Result<[cursor: string, strays: string[], foreign: string[]], Context>;
  }
}

export interface StraysFound {
  readonly cursor: string;
  readonly strays: readonly string[];
  /** Something else stood in place of their record. */
  readonly foreign: readonly string[];
}

/** Entries one script looks at: about a millisecond of Redis' time. */
const SCAN_COUNT = 500;

/** Finds accepted jobs without outcome that the queue does not know. */
export class StrayFinder {
  constructor(
    private readonly redis: Redis,
    private readonly keys: RedisKeys,
    private readonly ageMs = STRAY_AGE_MS,
  ) {
    redis.defineCommand('findStrayJobs', { numberOfKeys: 1, lua: FIND_SCRIPT });
  }

  /** One step through a lane's open jobs; cursor `0` begins, and comes back at the end. */
  async find(lane: string, cursor: string): Promise<StraysFound> {
    const { keys } = this;
    const [next, strays, foreign] = await this.redis.findStrayJobs(
      keys.openJobs(lane),
      cursor,
      SCAN_COUNT,
      this.ageMs,
      keys.jobRecord(lane, ''),
      keys.queueEntry(lane, ''),
    );
    return { cursor: next, strays, foreign };
  }
}
