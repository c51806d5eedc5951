import type { Redis } from 'ioredis';
import type { Logger } from '../logging/create-logger';
import type { RedisKeys } from '../redis-layout/redis-keys';
import type { KeyRing } from '../signing/key-ring';
import { defineSealedRecord } from '../signing/sealed-record';
import type { AlertName } from './alert-table';

/** Alerts about something that happens, not about how things stand: any process may see it, and one replica evaluates. */
export const EVENT_ALERTS = [
  'JOB_SIGNATURE_REFUSED', 'RECORD_REFUSED', 'BREAKER_OPEN', 'LANE_WITHOUT_WORKER', 'RESULTS_REMOVED_EARLY',
] as const satisfies readonly AlertName[]; // prettier-ignore
export type EventAlertName = (typeof EVENT_ALERTS)[number];

/** The latest of its name and subject. */
export interface AlertEvent {
  readonly version: 1;
  readonly name: EventAlertName;
  readonly subject: string;
  /** Epoch milliseconds. */
  readonly at: number;
  readonly detail: string;
}

export interface AlertEventsOptions {
  readonly redis: Redis;
  readonly keys: RedisKeys;
  readonly keyRing: KeyRing;
  readonly logger: Logger;
  /** Whether commands may be sent to Redis now. */
  readonly mayWrite?: () => boolean;
}

/** How long the same event is not written again: it may happen thousands of times a second. */
const WRITE_EVERY_MS = 1_000;
/** Subjects may come from what somebody else wrote. */
const MOST_SUBJECTS = 200;
const MOST_TEXT = 200;

const fieldOf = ({ name, subject }: Pick<AlertEvent, 'name' | 'subject'>): string => `${name} ${subject}`;
const records = defineSealedRecord<AlertEvent>({ scope: 'alert-event', version: 1 });
const placeOf = (keys: RedisKeys, field: string): string => `${keys.alertEvents} ${field}`;

/** Only what can stand in a label, a log line and a Redis field without being taken for something else. */
export const toSubject = (text: string): string => text.replace(/[^A-Za-z0-9._:-]/g, '_').slice(0, 64);

/** Writes down what has happened, at most once a second each; kept here while Redis is away. */
export class AlertEvents {
  private readonly options: AlertEventsOptions;
  private readonly pending = new Map<string, AlertEvent>();
  private timer: NodeJS.Timeout | undefined;

  constructor(options: AlertEventsOptions) {
    this.options = options;
  }

  report(name: EventAlertName, subject: string, detail: string): void {
    const event: AlertEvent = { version: 1, name, subject: toSubject(subject), at: Date.now(), detail: detail.slice(0, MOST_TEXT) };
    const field = fieldOf(event);
    if (this.pending.size >= MOST_SUBJECTS && !this.pending.has(field)) return;
    this.pending.set(field, event);
    this.timer ??= setTimeout(() => void this.write(), WRITE_EVERY_MS / 10).unref();
  }

  stop(): void {
    clearTimeout(this.timer);
    this.pending.clear();
  }

  private async write(): Promise<void> {
    const { redis, keys, keyRing, logger, mayWrite = () => true } = this.options;
    const events = [...this.pending];
    try {
      if (redis.status !== 'ready' || !mayWrite()) throw new Error('no connection');
      const fields = events.map(([field, event]) => [field, records.seal(keyRing, placeOf(keys, field), event)] as const);
      await redis.hset(keys.alertEvents, new Map(fields));
      for (const [field, event] of events) if (this.pending.get(field) === event) this.pending.delete(field);
    } catch (error) {
      logger.debug({ error: String(error) }, 'events are kept until Redis is back');
    }
    this.timer = setTimeout(() => {
      this.timer = undefined;
      if (this.pending.size > 0) void this.write();
    }, WRITE_EVERY_MS).unref();
  } // prettier-ignore
}

/** Those younger than `maxAgeMs`; what is older, or was not written by us, is removed. */
export async function readAlertEvents(
  { redis, keys, keyRing }: Pick<AlertEventsOptions, 'redis' | 'keys' | 'keyRing'>,
  maxAgeMs: number,
  now = Date.now(),
): Promise<AlertEvent[]> {
  const fields = await redis.hgetallBuffer(keys.alertEvents);
  const events: AlertEvent[] = [];
  const stale: string[] = [];
  for (const [field, sealed] of Object.entries(fields)) {
    const event = records.open(keyRing, placeOf(keys, field), sealed);
    if (event !== undefined && now - event.at <= maxAgeMs) events.push(event);
    else stale.push(field);
  }
  if (stale.length > 0) await redis.hdel(keys.alertEvents, ...stale);
  return events;
}
