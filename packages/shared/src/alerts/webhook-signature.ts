import { createHmac, timingSafeEqual } from 'node:crypto';
import type { KeyRing } from '../signing/key-ring';

/**
 * Signs what is sent to webhooks: `t=<epoch seconds>,v1=<hexadecimal HMAC-SHA-256 of "<t>.<delivery id>.<body>">`. The key is
 * one of its own (purpose `webhook`), so that whoever can verify can do nothing else; `python3-cluster webhook-key` prints it.
 */
export function signWebhook(keyRing: KeyRing, deliveryId: string, body: Buffer, now = Date.now()): string {
  const seconds = Math.floor(now / 1_000);
  return `t=${seconds},v1=${macOf(webhookKey(keyRing), seconds, deliveryId, body).toString('hex')}`;
}

/** As receivers do it. Older signatures than the tolerance are refused, so that nobody can play a message again for long. */
export function verifyWebhook(
  key: Buffer,
  signature: string,
  deliveryId: string,
  body: Buffer,
  { toleranceSeconds = 300, now = Date.now() } = {},
): boolean {
  const match = /^t=(\d{1,12}),v1=([0-9a-f]{64})$/.exec(signature);
  if (match === null) return false;
  const [, seconds = '', mac = ''] = match;
  if (Math.abs(now / 1_000 - Number(seconds)) > toleranceSeconds) return false;
  return timingSafeEqual(macOf(key, Number(seconds), deliveryId, body), Buffer.from(mac, 'hex'));
}

/** What receivers are given, as hexadecimal. */
export function webhookKey(keyRing: KeyRing): Buffer {
  const key = keyRing.deriveKey(keyRing.currentKeyId, 'webhook', 'alerts');
  if (key === undefined) throw new Error('the current key is not in its own ring');
  return key;
}

const macOf = (key: Buffer, seconds: number, deliveryId: string, body: Buffer): Buffer =>
  createHmac('sha256', key).update(`${seconds}.${deliveryId}.`).update(body).digest();
