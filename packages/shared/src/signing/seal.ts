import { createHmac, timingSafeEqual } from 'node:crypto';
import { atOnce, TURN_BYTES, type Steps } from '../lifecycle/turns';
import type { KeyPurpose, KeyRing } from './key-ring';

/**
 * Sealed text: `1.<key id>.<MAC, base64url> LF content`. The MAC (HMAC-SHA-256) covers the purpose, the scope, the
 * subject (the job id or Redis key the content belongs to) and the key id besides the content, so that a sealed thing
 * cannot be moved to another place. The content is covered as bytes: nobody has to agree on how JSON is written.
 */
export interface SealContext {
  readonly purpose: KeyPurpose;
  /** E.g. the lane of a job, the worker node of a result. */
  readonly scope: string;
  /** E.g. the job id. */
  readonly subject: string;
}

export const seal = (keyRing: KeyRing, context: SealContext, content: Buffer): Buffer => atOnce(sealing(keyRing, context, content));

/** The same in steps, for large content. */
export function* sealing(keyRing: KeyRing, context: SealContext, content: Buffer): Steps<Buffer> {
  const mac = yield* computingMac(keyRing, keyRing.currentKeyId, context, content);
  if (mac === undefined) throw new Error('the current key is not in its own ring');
  return Buffer.concat([Buffer.from(`1.${keyRing.currentKeyId}.${mac.toString('base64url')}\n`), content]);
}

/** The content, if the seal is one of ours for this very context; else undefined. */
export const openSeal = (keyRing: KeyRing, context: SealContext, sealed: Buffer): Buffer | undefined =>
  atOnce(openingSeal(keyRing, context, sealed));

/** The same in steps, for large content. */
export function* openingSeal(keyRing: KeyRing, context: SealContext, sealed: Buffer): Steps<Buffer | undefined> {
  const parts = splitSeal(sealed);
  if (parts === undefined) return undefined;
  const expected = yield* computingMac(keyRing, parts.keyId, context, parts.content);
  if (expected === undefined || expected.length !== parts.mac.length || !timingSafeEqual(expected, parts.mac)) return undefined;
  return parts.content;
}

/** The id of the master key that it says to be sealed with; undefined where it is no sealed text. Anybody can write one. */
export const keyIdOfSeal = (sealed: Buffer): string | undefined => splitSeal(sealed)?.keyId;

/** The content without any check: only for choosing the context to check it with. */
export const readUnverified = (sealed: Buffer): Buffer | undefined => splitSeal(sealed)?.content;

function splitSeal(sealed: Buffer): { keyId: string; mac: Buffer; content: Buffer } | undefined {
  const end = sealed.indexOf(0x0a);
  if (end < 0 || end > MAX_PREFIX_BYTES) return undefined;
  const match = /^1\.([0-9a-f]{12})\.([A-Za-z0-9_-]{43})$/.exec(sealed.toString('latin1', 0, end));
  if (match?.[1] === undefined || match[2] === undefined) return undefined;
  return { keyId: match[1], mac: Buffer.from(match[2], 'base64url'), content: sealed.subarray(end + 1) };
}

const MAX_PREFIX_BYTES = 80;

function* computingMac(keyRing: KeyRing, keyId: string, context: SealContext, content: Buffer): Steps<Buffer | undefined> {
  const { purpose, scope, subject } = context;
  const key = keyRing.deriveKey(keyId, purpose, scope);
  if (key === undefined || `${scope}${subject}`.includes('\n')) return undefined;
  const mac = createHmac('sha256', key).update(`python3-cluster/1\n${purpose}\n${scope}\n${subject}\n${keyId}\n`);
  for (let start = 0; start < content.length; start += TURN_BYTES) {
    if (start > 0) yield;
    mac.update(content.subarray(start, start + TURN_BYTES));
  }
  return mac.digest();
}
