import { randomBytes } from 'node:crypto';
import type { KeyRing } from '../signing/key-ring';
import { defineSealedRecord } from '../signing/sealed-record';
import type { AlertName, AlertSeverity } from './alert-table';

/**
 *   (none) ──condition──▶ firing ──somebody──▶ acknowledged
 *                           └──────condition over─────┴──────▶ resolved
 *
 * Each step is told once.
 */
export type AlertState = 'firing' | 'acknowledged' | 'resolved';

export interface Alert {
  readonly version: 1;
  /** Of this firing; the next one has another. */
  readonly id: string;
  readonly name: AlertName;
  /** What it is about, e.g. a lane; '' where it is about the cluster. */
  readonly subject: string;
  readonly severity: AlertSeverity;
  readonly state: AlertState;
  readonly message: string;
  /** What was measured when it was last true. */
  readonly value: number | null;
  /** Epoch milliseconds. */
  readonly startedAt: number;
  readonly lastTrueAt: number;
  readonly acknowledgedAt?: number;
  /** Key id. */
  readonly acknowledgedBy?: string;
  readonly resolvedAt?: number;
  /** Each minute of its being true within the last five, as the predecessor listed alerts. */
  readonly occurrences: readonly AlertOccurrence[];
}

export interface AlertOccurrence {
  readonly at: number;
  readonly message: string;
}

export const createAlertId = (): string => `alert-${randomBytes(12).toString('hex')}`;

export const ALERT_ID_PATTERN = /^alert-[0-9a-f]{24}$/;

/** What there is one alert of at a time. */
export const alertInstance = ({ name, subject }: Pick<Alert, 'name' | 'subject'>): string => `${name} ${subject}`;

/** A step of an alert, to be told by webhook. */
export interface AlertDelivery {
  readonly version: 1;
  /** The same whenever this step is sent again: receivers tell by it what they have. */
  readonly id: string;
  readonly event: AlertState;
  readonly at: number;
  readonly alert: Alert;
}

export const toDelivery = (alert: Alert, at: number): AlertDelivery => ({
  version: 1,
  id: `${alert.id}.${alert.state}`,
  event: alert.state,
  at,
  alert,
});

/**
 * Alerts grant nothing, but what stands in Redis is sent on, signed: it must be ours. The place is the Redis key, with the
 * hash's field where there is one.
 */
const alerts = defineSealedRecord<Alert>({ scope: 'alert', version: 1 });
const deliveries = defineSealedRecord<AlertDelivery>({ scope: 'alert', version: 1 });

export const sealAlert = (keyRing: KeyRing, place: string, content: Alert | AlertDelivery): Buffer =>
  'alert' in content ? deliveries.seal(keyRing, place, content) : alerts.seal(keyRing, place, content);

export const openAlert = (keyRing: KeyRing, place: string, sealed: Buffer): Alert | undefined => alerts.open(keyRing, place, sealed);

export const openDelivery = (keyRing: KeyRing, place: string, sealed: Buffer): AlertDelivery | undefined =>
  deliveries.open(keyRing, place, sealed);
