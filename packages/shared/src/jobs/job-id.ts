import { randomBytes } from 'node:crypto';
import { LANE_PATTERN } from '../config/option-table';

/**
 * `<lane>.<26 characters>`: time-ordered and unguessable (48 bits of milliseconds, 80 random bits, Crockford base 32).
 * The lane stands in the id because a job's Redis keys carry it as their hash tag, so that one lane lives on one node of
 * a Redis Cluster and an id alone finds its record. No ':' (BullMQ refuses it).
 */
export function createJobId(lane: string, now = Date.now()): string {
  let random = BigInt(now);
  for (const byte of randomBytes(10)) random = (random << 8n) | BigInt(byte);
  let text = '';
  for (let index = 0; index < 26; index += 1) {
    text = ALPHABET.charAt(Number(random & 31n)) + text;
    random >>= 5n;
  }
  return `${lane}.${text}`;
}

/** The lane of a well-formed job id, else undefined. */
export function laneOfJobId(id: string): string | undefined {
  const match = /^([a-z0-9-]+)\.[0-9a-hjkmnp-tv-z]{26}$/.exec(id);
  return match?.[1] !== undefined && LANE_PATTERN.test(match[1]) ? match[1] : undefined;
}

const ALPHABET = '0123456789abcdefghjkmnpqrstvwxyz';
