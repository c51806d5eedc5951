import { createHash } from 'node:crypto';
import { ClusterError, defineSealedRecord, isClusterError, type KeyRing, type Logger, type RedisKeys } from '@python3-cluster/shared';
import type { Redis, Result } from 'ioredis';
import type { RedisBreaker } from '../redis/redis-breaker';

/** Keys remembered per caller; the oldest are forgotten first. */
const MOST_KEYS_PER_CALLER = 10_000;

/**
 * Reserves a caller's key, unless it is taken. KEYS[1] record, KEYS[2] index of the caller's records;
 * ARGV: sealed record, TTL (ms), now (epoch ms), most records, a taken record to replace or ''.
 * Answers nothing if it is reserved now, else [the record that stands, its age in ms].
 * Records of one caller share a hash tag; those pushed out by newer ones are named by the index.
 */
const RESERVE_SCRIPT = `
local taken = redis.call('GET', KEYS[1])
if taken and taken ~= ARGV[5] then return {taken, tonumber(ARGV[2]) - redis.call('PTTL', KEYS[1])} end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', tonumber(ARGV[3]) - tonumber(ARGV[2]))
redis.call('ZADD', KEYS[2], ARGV[3], KEYS[1])
redis.call('PEXPIRE', KEYS[2], ARGV[2])
local extra = redis.call('ZCARD', KEYS[2]) - tonumber(ARGV[4])
if extra > 0 then
  for _, key in ipairs(redis.call('ZRANGE', KEYS[2], 0, extra - 1)) do redis.call('DEL', key) end
  redis.call('ZREMRANGEBYRANK', KEYS[2], 0, extra - 1)
end
return false
`;

/** Forgets a reservation if it still is this one. KEYS as above; ARGV: sealed record. */
const RELEASE_SCRIPT = `
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
redis.call('ZREM', KEYS[2], KEYS[1])
return redis.call('DEL', KEYS[1])
`;

declare module 'ioredis' {
  interface RedisCommander<Context> {
    reserveOnceBuffer(
      record: string, index: string,
      sealed: Buffer, ttlMs: number, now: number, most: number, replace: Buffer | string,
    ): Result<[Buffer, number] | null, Context>; // prettier-ignore
    releaseOnce(record: string, index: string, sealed: Buffer): Result<number, Context>;
  }
}

/** What stands in Redis under a caller's key. */
interface StandingRecord {
  readonly version: 1;
  readonly state: Standing['state'];
  readonly fingerprint: string;
  readonly jobId: string;
}

const records = defineSealedRecord<StandingRecord>({ scope: 'idempotency', version: 1 });

/** What a caller's key stands for. */
export interface Reservation {
  readonly owner: string;
  readonly key: string;
  /** Digest of the whole request. */
  readonly fingerprint: string;
  readonly jobId: string;
}

export interface Standing {
  readonly reservation: Reservation;
  /** `reserved`: whether its job was accepted is not known, or not yet. */
  readonly state: 'reserved' | 'accepted';
  /** By Redis' clock alone: clocks of other hosts are not trusted. */
  readonly ageMs: number;
}

export interface IdempotencyOptions {
  readonly redis: Redis;
  readonly keys: RedisKeys;
  readonly keyRing: KeyRing;
  readonly breaker: RedisBreaker;
  readonly ttlMs: number;
  readonly logger: Logger;
  readonly mostKeysPerCaller?: number;
}

/**
 * Which job each caller's `Idempotency-Key` stands for. Sealed: whoever can write to Redis can neither point a key at
 * another job nor make a request look like one it is not; a record without a valid seal does not exist.
 */
export class IdempotencyRecords {
  private readonly options: IdempotencyOptions;

  constructor(options: IdempotencyOptions) {
    this.options = options;
    options.redis.defineCommand('reserveOnce', { numberOfKeys: 2, lua: RESERVE_SCRIPT });
    options.redis.defineCommand('releaseOnce', { numberOfKeys: 2, lua: RELEASE_SCRIPT });
  }

  /** undefined: the key is this reservation's now. Else what it stands for already. @throws ClusterError QUEUE_UNAVAILABLE */
  async reserve(reservation: Reservation): Promise<Standing | undefined> {
    const { redis, ttlMs, mostKeysPerCaller = MOST_KEYS_PER_CALLER, logger } = this.options;
    const { record, index } = this.keysOf(reservation);
    const sealed = this.seal(reservation, 'reserved');
    let replace: Buffer | string = '';
    for (;;) {
      const bad: Buffer | string = replace;
      const taken: readonly [Buffer, number] | null = await this.ask(() =>
        redis.reserveOnceBuffer(record, index, sealed, ttlMs, Date.now(), mostKeysPerCaller, bad),
      );
      if (taken === null) return undefined;
      const standing = this.open(reservation, taken[0], Number(taken[1]));
      if (standing !== undefined) return standing;
      logger.error({ event: 'security', record }, 'an idempotency record that is not signed by this cluster was replaced');
      replace = taken[0];
    }
  }

  /** The job is queued. Best effort: without it, only the record of the job tells. */
  confirm(reservation: Reservation): void {
    const { redis, breaker } = this.options;
    const { record } = this.keysOf(reservation);
    breaker.run(() => redis.set(record, this.seal(reservation, 'accepted'), 'KEEPTTL', 'XX')).catch(() => undefined);
  }

  /** The job was not queued: the key is free again. Best effort, as what is left behind can be taken over. */
  async release(reservation: Reservation): Promise<void> {
    const { redis, breaker } = this.options;
    const { record, index } = this.keysOf(reservation);
    await breaker.run(() => redis.releaseOnce(record, index, this.seal(reservation, 'reserved'))).catch(() => undefined);
  }

  private async ask<T>(action: () => Promise<T>): Promise<T> {
    try {
      return await this.options.breaker.run(action);
    } catch (error) {
      throw isClusterError(error) ? error : new ClusterError('QUEUE_UNAVAILABLE', undefined, { cause: error });
    }
  }

  private keysOf({ owner, key }: Reservation): { readonly record: string; readonly index: string } {
    const ownerHash = digest(owner);
    return { record: this.options.keys.idempotency(ownerHash, digest(key)), index: this.options.keys.idempotencyIndex(ownerHash) };
  }

  private seal(reservation: Reservation, state: Standing['state']): Buffer {
    const { fingerprint, jobId } = reservation;
    return records.seal(this.options.keyRing, this.keysOf(reservation).record, { version: 1, state, fingerprint, jobId });
  }

  private open(asked: Reservation, sealed: Buffer, ageMs: number): Standing | undefined {
    const record = records.open(this.options.keyRing, this.keysOf(asked).record, sealed);
    if (record === undefined) return undefined;
    const { state, fingerprint, jobId } = record;
    return { reservation: { ...asked, fingerprint, jobId }, state, ageMs };
  }
}

/** Keys of callers and owners stand in Redis keys; hashed they have one length, and tell nothing in a key listing. */
const digest = (text: string): string => createHash('sha256').update(text).digest('base64url').slice(0, 22);
