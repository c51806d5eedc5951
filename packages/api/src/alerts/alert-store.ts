import {
  alertInstance,
  openAlert,
  openDelivery,
  sealAlert,
  toDelivery,
  type Alert,
  type AlertDelivery,
  type KeyRing,
  type RedisKeys,
} from '@python3-cluster/shared';
import type { Redis, Result } from 'ioredis';

/**
 * One step of an alert. It happens where the alert still is what it was when the step was decided, and its announcement is
 * put into the outbox in the same step: so each happens, and is told, once, whoever else evaluates or acknowledges.
 * KEYS: elected, alerts, history, outboxes. ARGV: claim of the elected replica ('' where anybody may), instance, sealed alert
 * before ('' for none), after ('' for none), for the history ('' for none), for each outbox ('' for none).
 */
const STEP_SCRIPT = `
if ARGV[1] ~= '' and redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
if (redis.call('HGET', KEYS[2], ARGV[2]) or '') ~= ARGV[3] then return 0 end
if ARGV[4] == '' then redis.call('HDEL', KEYS[2], ARGV[2]) else redis.call('HSET', KEYS[2], ARGV[2], ARGV[4]) end
if ARGV[5] ~= '' then
  redis.call('LPUSH', KEYS[3], ARGV[5])
  redis.call('LTRIM', KEYS[3], 0, 499)
end
for index = 4, #KEYS do
  if ARGV[index + 2] ~= '' then
    redis.call('RPUSH', KEYS[index], ARGV[index + 2])
    redis.call('LTRIM', KEYS[index], -1000, -1)
  end
end
return 1
`;

declare module 'ioredis' {
  interface RedisCommander<Context> {
    stepAlert(keyCount: number, ...keysAndArguments: (string | Buffer)[]): Result<number, Context>;
  }
}

/** An alert that is not resolved, as it stands in Redis. */
export interface StoredAlert {
  readonly alert: Alert;
  readonly sealed: Buffer;
}

export interface AlertStoreOptions {
  readonly redis: Redis;
  readonly keys: RedisKeys;
  readonly keyRing: KeyRing;
  /** Redis keys that steps are put into: somebody must take them out. */
  readonly outboxes: readonly string[];
}

const MOST_READ = 100;

/** Alerts in Redis. Nothing there is believed unless it is sealed for its place. */
export class AlertStore {
  private readonly options: AlertStoreOptions;

  constructor(options: AlertStoreOptions) {
    this.options = options;
    options.redis.defineCommand('stepAlert', { lua: STEP_SCRIPT });
  }

  async readActive(): Promise<Map<string, StoredAlert>> {
    const active = new Map<string, StoredAlert>();
    for (const [instance, sealed] of Object.entries(await this.readFields())) {
      const alert = this.open(instance, sealed);
      if (alert !== undefined) active.set(instance, { alert, sealed });
    }
    return active;
  }

  /** Newest first. */
  async readHistory(): Promise<Alert[]> {
    const { redis, keys, keyRing } = this.options;
    const stored = await redis.lrangeBuffer(keys.alertHistory, 0, MOST_READ - 1);
    return stored.flatMap((sealed) => openAlert(keyRing, keys.alertHistory, sealed) ?? []);
  }

  /**
   * Makes an alert another. Answers whether it did: not where it has changed meanwhile, or another replica is elected.
   * Without `before` it begins, with `after` resolved it ends; a step to another state is announced.
   */
  async step(claim: string, before: StoredAlert | undefined, after: Alert): Promise<boolean> {
    const { redis, keys, keyRing, outboxes } = this.options;
    const instance = alertInstance(after);
    const isAnnounced = before?.alert.state !== after.state;
    const hasEnded = after.state === 'resolved';
    const at = after.resolvedAt ?? after.acknowledgedAt ?? after.startedAt;
    const expected = before?.sealed ?? (await this.forgeryAt(instance));
    const done = await redis.stepAlert(
      3 + outboxes.length, keys.elected, keys.alerts, keys.alertHistory, ...outboxes,
      claim, instance, expected,
      hasEnded ? '' : sealAlert(keyRing, this.placeOf(instance), after),
      hasEnded ? sealAlert(keyRing, keys.alertHistory, after) : '',
      ...outboxes.map((outbox) => (isAnnounced ? sealAlert(keyRing, outbox, toDelivery(after, at)) : '')),
    ); // prettier-ignore
    return done === 1;
  }

  /** The oldest step that was not told yet. What is not ours is removed on the way. */
  async readDelivery(outbox: string): Promise<{ readonly delivery: AlertDelivery; readonly sealed: Buffer } | undefined> {
    const { redis, keyRing } = this.options;
    for (;;) {
      const sealed = await redis.lindexBuffer(outbox, 0);
      if (sealed === null) return undefined;
      const delivery = openDelivery(keyRing, outbox, sealed);
      if (delivery !== undefined) return { delivery, sealed };
      await this.removeDelivery(outbox, sealed);
    }
  }

  async removeDelivery(outbox: string, sealed: Buffer): Promise<void> {
    await this.options.redis.lrem(outbox, 1, sealed);
  }

  /** What stands in an alert's place without being one: it is replaced. */
  private async forgeryAt(instance: string): Promise<Buffer | ''> {
    const sealed = await this.options.redis.hgetBuffer(this.options.keys.alerts, instance);
    return sealed !== null && this.open(instance, sealed) === undefined ? sealed : '';
  }

  private open(instance: string, sealed: Buffer): Alert | undefined {
    const alert = openAlert(this.options.keyRing, this.placeOf(instance), sealed);
    return alert !== undefined && alertInstance(alert) === instance ? alert : undefined;
  }

  private placeOf(instance: string): string {
    return `${this.options.keys.alerts} ${instance}`;
  }

  private async readFields(): Promise<Record<string, Buffer>> {
    return this.options.redis.hgetallBuffer(this.options.keys.alerts);
  }
}
