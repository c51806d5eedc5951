import type { Redis, Result } from 'ioredis';
import type { Logger, RedisKeys } from '@python3-cluster/shared';
import type { Chore } from './housekeeper';

/**
 * Forgets expired outcomes, and removes the oldest while there are too many bytes.
 * KEYS: outcomes, their expiry, their bytes; ARGV: prefix of records (of this lane's hash tag), bytes that may stay, most
 * removals. Answers [removed before their time, bytes left, 1 if it stopped at the most removals].
 */
const SWEEP_SCRIPT = `
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local most = tonumber(ARGV[3])
local bytes = tonumber(redis.call('GET', KEYS[3]) or '0')
local function forget(member)
  local id, size = string.match(member, '^(%S+) (%d+)$')
  redis.call('ZREM', KEYS[1], member)
  redis.call('ZREM', KEYS[2], member)
  bytes = bytes - tonumber(size or '0')
  return id
end
local expired = redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', now, 'LIMIT', 0, most)
for _, member in ipairs(expired) do forget(member) end
local removed = 0
while bytes > tonumber(ARGV[2]) and removed + #expired < most do
  local oldest = redis.call('ZRANGE', KEYS[1], 0, 0)
  if #oldest == 0 then break end
  local id = forget(oldest[1])
  if id then redis.call('UNLINK', ARGV[1] .. id) end
  removed = removed + 1
end
if redis.call('EXISTS', KEYS[1]) == 0 then
  bytes = 0
  redis.call('DEL', KEYS[2], KEYS[3])
else
  redis.call('SET', KEYS[3], string.format('%.0f', bytes))
end
return {removed, bytes, removed + #expired >= most and 1 or 0}
`;

declare module 'ioredis' {
  interface RedisCommander<Context> {
    sweepOutcomes(
      outcomes: string,
      expiry: string,
      bytes: string,
      recordPrefix: string,
      keepBytes: number,
      most: number,
    ): Result<[removed: number, bytes: number, more: number], Context>;
  }
}

export interface SweeperOptions {
  readonly redis: Redis;
  readonly keys: RedisKeys;
  /** Over all lanes. */
  readonly maxBytes: number;
  readonly logger: Logger;
}

/** Removals of one script (a millisecond or two of Redis' time), and scripts of one pass. */
const REMOVED_A_STEP = 200;
const STEPS_A_PASS = 100;

/**
 * Keeps finished work from filling Redis: outcomes of all lanes together hold at most `maxBytes`. The lane that holds most
 * gives up its oldest first, so that one lane's flood does not cost another its outcomes.
 */
export class Sweeper implements Chore {
  readonly name = 'sweep';
  private readonly options: SweeperOptions;

  constructor(options: SweeperOptions) {
    this.options = options;
    options.redis.defineCommand('sweepOutcomes', { numberOfKeys: 3, lua: SWEEP_SCRIPT });
  }

  async run(lanes: readonly string[]): Promise<void> {
    const held = new Map<string, number>();
    let removed = 0;
    const sweep = async (lane: string, keepBytes: number): Promise<boolean> => {
      const { keys, redis } = this.options;
      const [gone, left, more] = await redis.sweepOutcomes(
        keys.outcomes(lane),
        keys.outcomeExpiry(lane),
        keys.outcomeBytes(lane),
        keys.jobRecord(lane, ''),
        keepBytes,
        REMOVED_A_STEP,
      );
      removed += gone;
      held.set(lane, left);
      return more === 1;
    };
    // What has expired, and what a lane alone has too much of.
    let steps = 0;
    for (const lane of lanes) while ((await sweep(lane, this.options.maxBytes)) && (steps += 1) < STEPS_A_PASS);
    for (; steps < STEPS_A_PASS; steps += 1) {
      const over = [...held.values()].reduce((sum, bytes) => sum + bytes, 0) - this.options.maxBytes;
      if (over <= 0) break;
      const [lane, bytes] = [...held].reduce((most, entry) => (entry[1] > most[1] ? entry : most));
      await sweep(lane, bytes - Math.min(over, Math.ceil(bytes / 2)));
    }
    if (removed > 0)
      this.options.logger.warn(
        { removed, maxBytes: this.options.maxBytes },
        'outcomes were removed before their time: PYTHON3_RESULT_MAX_BYTES',
      );
  }
}
