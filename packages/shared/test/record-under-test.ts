import type { Redis } from 'ioredis';
import {
  CANCEL_CLAIM_MS, connectRedis, createJobId, defineJobCommands, finishJobKeys, formatTally, MAX_PUBLISHED_BYTES, MAX_STARTS, RECORD_FIELDS,
  type Attempt, type CancelVerdict, type ClaimVerdict, type FinishVerdict, type RedisKeys, type RetryVerdict, type TakeIntent, type TakeVerdict,
} from '../src'; // prettier-ignore

const TALLY = formatTally({ status: 'succeeded', kind: 'exec', worker: 'node-1' });

/** A connection to the tests' Redis with the record's commands. */
export const connectForRecords = (url = ''): Redis =>
  defineJobCommands(connectRedis(url, { profile: 'patient', name: 'test', onError: () => undefined }));

export interface TakeOptions {
  readonly intent?: TakeIntent;
  readonly delivery?: string;
  readonly worker?: string;
  readonly now?: number;
  readonly mostStarts?: number;
}

export interface Taken {
  readonly verdict: TakeVerdict;
  readonly attempts: Attempt[];
  readonly leftMs: number | undefined;
}

/** One job's record in Redis, and what API replicas and worker nodes ask of it. */
export class RecordUnderTest {
  readonly id = createJobId('default');
  readonly key: string;
  readonly payload: string;
  private readonly lock: string;
  private readonly redis: Redis;
  private readonly keys: RedisKeys;

  constructor(redis: Redis, keys: RedisKeys) {
    this.redis = redis;
    this.keys = keys;
    this.key = keys.jobRecord('default', this.id);
    this.payload = keys.jobPayload('default', this.id);
    this.lock = keys.queueLock('default', this.id);
  }

  async accept(state = 'waiting'): Promise<this> {
    await this.redis.hset(this.key, RECORD_FIELDS.job, 'head', RECORD_FIELDS.state, state);
    await this.redis.pexpire(this.key, 600_000);
    await this.redis.set(this.payload, 'payload');
    return this;
  }

  async take(token: string, options: TakeOptions = {}): Promise<Taken> {
    const { intent = 'run', delivery = 'at-least-once', worker = 'node-1', now = Date.now(), mostStarts = MAX_STARTS } = options;
    const [verdict, attempts, leftMs] = await this.redis.takeJob(this.key, token, worker, now, delivery, mostStarts, intent);
    return { verdict, attempts: JSON.parse(attempts) as Attempt[], leftMs };
  }

  /** Until then, from now on Redis' clock, somebody waits for it. */
  async holdFor(milliseconds: number): Promise<void> {
    const [seconds, micros] = await this.redis.time();
    const until = Number(seconds) * 1_000 + Math.floor(Number(micros) / 1_000) + milliseconds;
    await this.redis.hset(this.key, RECORD_FIELDS.heldUntil, until);
  }

  retry(token: string, backoffMs: number, end: Partial<Attempt> = { status: 'failed', error: null, finishedAt: 1 }): Promise<RetryVerdict> {
    return this.redis.retryJob(this.key, token, JSON.stringify(end), backoffMs, Buffer.from(`end of ${token}`));
  }

  finish(token: string, outcome: Buffer | string = 'outcome', replyTo = '', ttlMs = 60_000): Promise<FinishVerdict> {
    const keys = finishJobKeys(this.keys, 'default', this.id);
    return this.redis.finishJob(...keys, token, Buffer.from(outcome), ttlMs, replyTo, this.id, MAX_PUBLISHED_BYTES, TALLY);
  }

  cancel(): Promise<CancelVerdict> {
    const { redis, keys, id } = this;
    return redis.requestCancel(this.key, keys.cancels('default'), id, Date.now(), keys.cancelChannel('default'));
  }

  async claim(token: string, claimMs = CANCEL_CLAIM_MS): Promise<ClaimVerdict> {
    return (await this.redis.claimCancelled(this.key, this.lock, this.keys.cancels('default'), this.id, token, claimMs))[0];
  }

  /** Takes the queue's lock of the job, as a node does that the queue gives it to. */
  async hold(): Promise<boolean> {
    return (await this.redis.set(this.lock, 'x', 'PX', 60_000, 'NX')) === 'OK';
  }

  async letGo(): Promise<void> {
    await this.redis.del(this.lock);
  }

  outcome(): Promise<string | null> {
    return this.redis.hget(this.key, RECORD_FIELDS.outcome);
  }

  async attempts(): Promise<Attempt[]> {
    return JSON.parse((await this.redis.hget(this.key, RECORD_FIELDS.attempts)) ?? '[]') as Attempt[];
  }

  async isListed(): Promise<boolean> {
    return (await this.redis.zscore(this.keys.cancels('default'), this.id)) !== null;
  }

  read(): Promise<{ [field: string]: string }> {
    return this.redis.hgetall(this.key);
  }
}
