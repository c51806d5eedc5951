import { randomFillSync } from 'node:crypto';
import { LANE_PATTERN } from '../config/option-table';

/**
 * `<lane>.<26 characters>`: time-ordered and unguessable (10 characters of milliseconds, 16 of randomness, 80 bits,
 * Crockford base 32). The lane stands in the id because a job's Redis keys carry it as their hash tag, so that one lane
 * lives on one node of a Redis Cluster and an id alone finds its record. No ':' (BullMQ refuses it).
 */
export function createJobId(lane: string, now = Date.now()): string {
  let time = '';
  for (let rest = now, index = 0; index < TIME_CHARACTERS; index += 1) {
    time = ALPHABET.charAt(rest % 32) + time;
    rest = Math.floor(rest / 32);
  }
  let random = '';
  for (let index = 0; index < RANDOM_CHARACTERS; index += 1) random += ALPHABET.charAt(nextRandomByte() & 31);
  return `${lane}.${time}${random}`;
}

/** The lane of a well-formed job id, else undefined. */
export function laneOfJobId(id: string): string | undefined {
  const match = /^([a-z0-9-]+)\.[0-9a-hjkmnp-tv-z]{26}$/.exec(id);
  return match?.[1] !== undefined && LANE_PATTERN.test(match[1]) ? match[1] : undefined;
}

const ALPHABET = '0123456789abcdefghjkmnpqrstvwxyz';
const TIME_CHARACTERS = 10;
const RANDOM_CHARACTERS = 16;

/** Asking the kernel for each id's few bytes would cost more than everything else here. */
const randomPool = Buffer.alloc(4_096);
let randomPosition = randomPool.length;

function nextRandomByte(): number {
  if (randomPosition === randomPool.length) {
    randomFillSync(randomPool);
    randomPosition = 0;
  }
  return randomPool[randomPosition++] as number;
}
