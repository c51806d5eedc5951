import type { Redis } from 'ioredis';
import type { Logger } from '../logging/create-logger';
import type { RedisKeys } from '../redis-layout/redis-keys';
import type { KeyRing } from '../signing/key-ring';
import { quarantineIdOf, type QuarantineKey } from './quarantine-key';
import { forgottenAt, openQuarantine, sealQuarantine, type QuarantineEntry, type QuarantineRecord } from './quarantine-record';

export interface QuarantineListOptions {
  readonly redis: Redis;
  readonly keys: RedisKeys;
  readonly keyRing: KeyRing;
  readonly logger: Logger;
  /** Refuses commands while Redis is known to be away. */
  readonly guard?: <T>(command: () => Promise<T>) => Promise<T>;
}

/** How often the list is looked at; a message makes it at once. */
export const QUARANTINE_LOOK_MS = 1_000;
/** How often all of it is read although nothing says that it has changed: whoever can write to Redis can hide that. */
const READ_ALL_MS = 30_000;
/** Records in all: those that were made longest ago go first. A program enters only after several breaches. */
export const MOST_QUARANTINED = 2_000;

/**
 * Which programs are quarantined: a copy of the hash in Redis, kept by every API replica and worker node, so that asking costs
 * no round trip.
 *
 *   (none) ──breaches──▶ quarantined ──its time──▶ half-open: one job tries ──clean──▶ released
 *                          ▲  │                        └──breach──▶ quarantined anew
 *                          │  └──an admin──▶ released ──as long again──▶ forgotten
 *                          └──breaches──────────┘
 *
 * A record that was seen stays until it is forgotten or a later sealed one follows: to remove it from Redis releases nobody.
 */
export class QuarantineList {
  private readonly options: QuarantineListOptions;
  private readonly records = new Map<string, QuarantineRecord>();
  /** Owner → entries, so that the jobs of all others need no look; null: everyone's. */
  private readonly concerned = new Map<string | null, number>();
  private readonly forged = new Set<string>();
  private timer: NodeJS.Timeout | undefined;
  private version: string | null = null;
  private readAllAt = -Infinity;
  private looking: Promise<void> | undefined;

  constructor(options: QuarantineListOptions) {
    this.options = options;
  }

  async start(): Promise<void> {
    this.timer = setInterval(() => void this.look(), QUARANTINE_LOOK_MS);
    await this.look();
  }

  stop(): void {
    clearInterval(this.timer);
  }

  /** Whether any entry could be about a job of this owner. */
  concerns(owner: string): boolean {
    return this.concerned.size > 0 && (this.concerned.has(owner) || this.concerned.has(null));
  }

  find(key: QuarantineKey): QuarantineEntry | undefined {
    return this.get(quarantineIdOf(key));
  }

  get(id: string): QuarantineEntry | undefined {
    const record = this.records.get(id);
    return record?.state === 'quarantined' && forgottenAt(record) > Date.now() ? record : undefined;
  }

  /** Newest first. */
  entries(): QuarantineEntry[] {
    return [...this.records.keys()].flatMap((id) => this.get(id) ?? []).sort((one, other) => other.at - one.at);
  }

  /** Reads what has changed. Never fails: what is known stays. */
  async look(): Promise<void> {
    this.looking ??= this.read().finally(() => (this.looking = undefined));
    await this.looking;
  }

  /** Writes a record, which follows whatever is known of its key, and tells everybody. */
  async put(record: QuarantineRecord): Promise<void> {
    const { redis, keys, keyRing, guard = (command) => command() } = this.options;
    const known = this.records.get(record.id);
    const next = { ...record, at: Math.max(record.at, (known?.at ?? 0) + 1) };
    await guard(() =>
      Promise.all([
        redis.hset(keys.quarantine, record.id, sealQuarantine(keyRing, keys, next)),
        redis.del(keys.quarantineTrial(record.id)),
        redis.incr(keys.quarantineVersion),
        redis.publish(keys.quarantineChannel, ''),
      ]),
    );
    this.take(next);
    this.count();
    await this.removeSurplus();
  }

  private async read(): Promise<void> {
    const { redis, keys, logger, guard = (command) => command() } = this.options;
    if (redis.status !== 'ready') return;
    try {
      const version = await guard(() => redis.get(keys.quarantineVersion));
      const now = performance.now();
      if (version !== this.version || now - this.readAllAt > READ_ALL_MS) {
        const fields = await guard(() => redis.hgetallBuffer(keys.quarantine));
        this.version = version;
        this.readAllAt = now;
        this.takeAll(fields);
      }
      this.forgetOld();
    } catch (error) {
      logger.debug({ error: String(error) }, 'the quarantine could not be read');
    }
  }

  private takeAll(fields: Record<string, Buffer>): void {
    const { keyRing, keys } = this.options;
    for (const [id, sealed] of Object.entries(fields)) {
      const record = openQuarantine(keyRing, keys, id, sealed);
      if (record === undefined) this.refuse(id);
      else this.take(record);
    }
    this.count();
  }

  private take(record: QuarantineRecord): void {
    const known = this.records.get(record.id);
    if (known !== undefined && known.at >= record.at) return;
    this.records.set(record.id, record);
  }

  private refuse(id: string): void {
    if (this.forged.has(id)) return;
    if (this.forged.size < MOST_QUARANTINED) this.forged.add(id);
    this.options.logger.error(
      { event: 'security', errorCode: 'RECORD_UNVERIFIED', quarantineId: id.slice(0, 64) },
      'a quarantine record that is not signed by this cluster is ignored',
    );
  }

  private forgetOld(): void {
    const now = Date.now();
    const old = [...this.records.values()].filter((record) => forgottenAt(record) <= now);
    if (old.length > 0) void this.remove(old);
  }

  private async removeSurplus(): Promise<void> {
    const surplus = this.records.size - MOST_QUARANTINED;
    if (surplus <= 0) return;
    await this.remove([...this.records.values()].sort((one, other) => one.at - other.at).slice(0, surplus));
  }

  private async remove(records: readonly QuarantineRecord[]): Promise<void> {
    const { redis, keys } = this.options;
    const ids = records.map(({ id }) => id);
    for (const id of ids) this.records.delete(id);
    this.count();
    await redis.hdel(keys.quarantine, ...ids).catch(() => undefined);
  }

  private count(): void {
    this.concerned.clear();
    for (const { owner, state } of this.records.values()) {
      if (state === 'quarantined') this.concerned.set(owner, (this.concerned.get(owner) ?? 0) + 1);
    }
  }
}

/** Whether its time is over, so that one job may try the program. */
export const isHalfOpen = ({ until }: QuarantineEntry, now = Date.now()): boolean => now >= until;
