import { TURN_BYTES, type Steps } from '../lifecycle/turns';

const BACKSLASH = 0x5c;
const LOWER_U = 0x75;

export interface TextMeasure {
  /** In UTF-8, without escapes. */
  readonly bytes: number;
  /** Whether there is nothing but white space. */
  readonly isBlank: boolean;
}

/**
 * Measures the text that a JSON string stands for, in steps and without making it. `slice`: with its quotes, and known to be
 * well-formed.
 */
export function* measuringJsonText(slice: Buffer): Steps<TextMeasure> {
  const end = slice.length - 1;
  let bytes = 0;
  let isBlank = true;
  for (let position = 1; position < end;) {
    if (position > 1) yield;
    const start = position;
    const pauseAt = Math.min(end, start + TURN_BYTES);
    while (position < pauseAt) {
      const step = measureCharacter(slice, position);
      position += step.written;
      bytes += step.bytes;
    }
    // No character is cut in two here: what continues one is below.
    while (position < end && ((slice[position] ?? 0) & 0xc0) === 0x80) {
      position += 1;
      bytes += 1;
    }
    isBlank &&= isBlankText(slice.toString('utf8', start, position));
  }
  return { bytes, isBlank };
}

const isBlankText = (text: string): boolean => (JSON.parse(`"${text}"`) as string).trim() === '';

interface Character {
  /** Bytes it takes as it is written. */
  readonly written: number;
  readonly bytes: number;
}

const PLAIN_BYTE: Character = { written: 1, bytes: 1 };
const SHORT_ESCAPE: Character = { written: 2, bytes: 1 };
const CODE_UNITS: readonly Character[] = [1, 2, 3].map((bytes) => ({ written: 6, bytes }));
const SURROGATE_PAIR: Character = { written: 12, bytes: 4 };

/** A byte of a character that is written as it is, or a whole escape. */
function measureCharacter(slice: Buffer, at: number): Character {
  if (slice[at] !== BACKSLASH) return PLAIN_BYTE;
  if (slice[at + 1] !== LOWER_U) return SHORT_ESCAPE;
  const unit = readCodeUnit(slice, at);
  if (isHighSurrogate(unit) && slice[at + 6] === BACKSLASH && slice[at + 7] === LOWER_U && isLowSurrogate(readCodeUnit(slice, at + 6)))
    return SURROGATE_PAIR;
  return CODE_UNITS[unit < 0x80 ? 0 : unit < 0x800 ? 1 : 2] as Character;
}

const readCodeUnit = (slice: Buffer, at: number): number =>
  (hexDigit(slice[at + 2]) << 12) | (hexDigit(slice[at + 3]) << 8) | (hexDigit(slice[at + 4]) << 4) | hexDigit(slice[at + 5]);

/** Digits follow `0`, letters of both cases have the same last bits. */
const hexDigit = (byte = 0): number => (byte <= 0x39 ? byte - 0x30 : (byte & 0x07) + 9);

const isHighSurrogate = (unit: number): boolean => unit >= 0xd800 && unit < 0xdc00;
const isLowSurrogate = (unit: number): boolean => unit >= 0xdc00 && unit < 0xe000;
