import type { Redis, Result } from 'ioredis';

/** KEYS[1] lease; ARGV: who, how long (ms). Takes a lease nobody has, or prolongs one's own; answers 1 where it is held. */
const HOLD_SCRIPT = `
local holder = redis.pcall('GET', KEYS[1])
-- no lease of ours: SET replaces what is of another type
if type(holder) == 'table' then holder = false end
if holder and holder ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1
`;

/** KEYS[1] lease; ARGV: who. */
const RELEASE_SCRIPT = `
if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end
return 0
`;

declare module 'ioredis' {
  interface RedisCommander<Context> {
    holdLease(lease: string, who: string, forMs: number): Result<number, Context>;
    releaseLease(lease: string, who: string): Result<number, Context>;
  }
}

/**
 * Elects one of many, for a while. Two may believe they are elected for a moment (a process that was stopped and wakes
 * up): what is done under the lease must be right even then, and the lease only saves the work of doing it twice.
 */
export class Lease {
  constructor(
    private readonly redis: Redis,
    private readonly key: string,
    private readonly who: string,
    private readonly forMs: number,
  ) {
    redis.defineCommand('holdLease', { numberOfKeys: 1, lua: HOLD_SCRIPT });
    redis.defineCommand('releaseLease', { numberOfKeys: 1, lua: RELEASE_SCRIPT });
  }

  async hold(): Promise<boolean> {
    return (await this.redis.holdLease(this.key, this.who, this.forMs)) === 1;
  }

  async release(): Promise<void> {
    await this.redis.releaseLease(this.key, this.who);
  }
}
