import { ClusterError, JsonScanError, sliceJsonObject } from '@python3-cluster/shared';
import type { NameRule } from './python-names';
import type { Members } from './members';
import { assertVariableNames } from './variable-names';
import { listNames } from './words';

/**
 * Readers of single fields. Each refuses a wrong type by the field's name; an absent field is undefined. Fields that go
 * to Python are checked here and travel as the caller wrote them. What is too long is refused by its bytes, unread: a UTF-16
 * code unit is written with six bytes at most.
 */

export interface TextRule {
  readonly maxLength: number;
}

export function readText(members: Members, name: string, { maxLength }: TextRule): string | undefined {
  const slice = members.get(name);
  if (slice === undefined) return undefined;
  if (slice[0] !== QUOTE) throw wrongType(name, 'a string');
  const text = slice.length > 6 * maxLength + 2 ? undefined : (JSON.parse(slice.toString('utf8')) as string);
  if (text === '') throw new ClusterError('REQUEST_INVALID', `'${name}' must not be empty.`);
  if (text === undefined || text.length > maxLength)
    throw new ClusterError('REQUEST_INVALID', `'${name}' must have at most ${maxLength} characters.`);
  if (CONTROL_CHARACTER.test(text)) throw new ClusterError('REQUEST_INVALID', `'${name}' must not contain control characters.`);
  return text;
}

export function readInteger(members: Members, name: string, least: number): number | undefined {
  const slice = members.get(name);
  if (slice === undefined) return undefined;
  const value = parseScalar(slice);
  if (typeof value !== 'number' || !Number.isInteger(value)) throw wrongType(name, 'a whole number');
  if (value < least) throw new ClusterError('REQUEST_INVALID', `'${name}' must be at least ${least}.`);
  return value;
}

export function readChoice<const T extends string>(members: Members, name: string, choices: readonly T[]): T | undefined {
  const slice = members.get(name);
  if (slice === undefined) return undefined;
  const value = parseScalar(slice);
  if (slice[0] !== QUOTE) throw wrongType(name, 'a string');
  if (!(choices as readonly unknown[]).includes(value)) {
    throw new ClusterError('REQUEST_INVALID', `'${name}' must be ${listNames(choices, 'or')}.`);
  }
  return value as T;
}

/** A short array of strings, as it stands. */
export function readStrings(members: Members, name: string): string[] | undefined {
  const slice = readArray(members, name);
  if (slice === undefined) return undefined;
  if (slice.length > MAX_LIST_BYTES) throw wrongType(name, `an array of at most ${MAX_LIST_BYTES} bytes`);
  const items = JSON.parse(slice.toString('utf8')) as unknown[];
  if (!items.every((item) => typeof item === 'string')) throw wrongType(name, 'an array of strings');
  return items;
}

export interface TextMembersRule extends TextRule {
  readonly mostMembers: number;
  readonly mostNameLength: number;
}

/** The members of an object of strings, none given twice; strings may be empty here. */
export function readTextMembers(members: Members, name: string, rule: TextMembersRule): [name: string, text: string][] | undefined {
  const { maxLength, mostMembers, mostNameLength } = rule;
  const slice = members.get(name);
  if (slice === undefined) return undefined;
  if (slice[0] !== OPEN_BRACE) throw wrongType(name, 'an object of strings');
  if (slice.length > mostMembers * (6 * (mostNameLength + maxLength) + PUNCTUATION_BYTES)) throw wrongType(name, 'shorter');
  return [...slicesOf(slice, name, rule)].map(([key, value]) => {
    if (value[0] !== QUOTE) throw wrongType(name, 'an object of strings');
    const text = JSON.parse(value.toString('utf8')) as string;
    if (text.length > maxLength || UNFIT_FOR_TEXT.test(text))
      throw wrongType(name, `an object of strings of at most ${maxLength} characters, that can be shown`);
    return [key, text];
  });
}

/** A member that must be an array; its slice. */
export function readArray(members: Members, name: string): Buffer | undefined {
  const slice = members.get(name);
  if (slice !== undefined && slice[0] !== OPEN_BRACKET) throw wrongType(name, 'an array');
  return slice;
}

/** A member that must be an object whose names Python can use; its slice. */
export function readNamedValues(members: Members, name: string, rule: NameRule): Buffer | undefined {
  const slice = members.get(name);
  if (slice === undefined) return undefined;
  if (slice[0] !== OPEN_BRACE) throw wrongType(name, 'an object');
  assertVariableNames(name, slice, rule);
  return slice;
}

export const wrongType = (name: string, words: string): ClusterError => new ClusterError('REQUEST_INVALID', `'${name}' must be ${words}.`);

/** Whatever is not a string, number, boolean or null is left unread: nested values are Python's. So is what is long. */
function parseScalar(slice: Buffer): unknown {
  const isUnread = slice[0] === OPEN_BRACE || slice[0] === OPEN_BRACKET || slice.length > MAX_SCALAR_BYTES;
  return isUnread ? undefined : JSON.parse(slice.toString('utf8'));
}

function slicesOf(slice: Buffer, name: string, { mostMembers, mostNameLength }: TextMembersRule): Iterable<[string, Buffer]> {
  try {
    return sliceJsonObject(slice, 'refuse', { mostNames: mostMembers, mostNameBytes: 6 * mostNameLength });
  } catch (error) {
    if (!(error instanceof JsonScanError)) throw error;
    if (error.code !== 'names') throw new ClusterError('REQUEST_INVALID', `'${name}': ${error.message}`);
    const words = `'${name}' must have at most ${mostMembers} members, with names of at most ${mostNameLength} characters.`;
    throw new ClusterError('REQUEST_INVALID', words);
  }
}

const CONTROL_CHARACTER = /\p{Cc}/u;
/** Control characters, and halves of surrogate pairs. */
const UNFIT_FOR_TEXT = /[\p{Cc}\p{Cs}]/u;
/** Of a number, or one of a few words. */
const MAX_SCALAR_BYTES = 256;
const MAX_LIST_BYTES = 1_024;
/** Of a member, with some space. */
const PUNCTUATION_BYTES = 64;
const QUOTE = 0x22;
const OPEN_BRACE = 0x7b;
const OPEN_BRACKET = 0x5b;
