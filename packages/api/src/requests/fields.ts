import { ClusterError, JsonScanError, sliceJsonObject } from '@python3-cluster/shared';
import { namesIn } from './names-in';
import { assertPythonNames, type NameRule } from './python-names';
import type { Members } from './read-body';

/**
 * Readers of single fields. Each refuses a wrong type by the field's name; an absent field is undefined. Fields that go
 * to Python are checked here and travel as the caller wrote them.
 */

export interface TextRule {
  readonly maxLength: number;
}

export function readText(members: Members, name: string, { maxLength }: TextRule): string | undefined {
  const slice = members.get(name);
  if (slice === undefined) return undefined;
  const text = parseScalar(slice);
  if (typeof text !== 'string') throw wrongType(name, 'a string');
  if (text === '') throw new ClusterError('REQUEST_INVALID', `'${name}' must not be empty.`);
  if (text.length > maxLength) throw new ClusterError('REQUEST_INVALID', `'${name}' must have at most ${maxLength} characters.`);
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
  if (typeof value !== 'string') throw wrongType(name, 'a string');
  if (!(choices as readonly string[]).includes(value)) {
    throw new ClusterError('REQUEST_INVALID', `'${name}' must be ${choices.map((choice) => `'${choice}'`).join(' or ')}.`);
  }
  return value as T;
}

/** An array of strings, as it stands. */
export function readStrings(members: Members, name: string): string[] | undefined {
  const slice = readArray(members, name);
  if (slice === undefined) return undefined;
  const items = JSON.parse(slice.toString('utf8')) as unknown[];
  if (!items.every((item) => typeof item === 'string')) throw wrongType(name, 'an array of strings');
  return items;
}

/** The members of an object of strings, none given twice; strings may be empty here. */
export function readTextMembers(members: Members, name: string, { maxLength }: TextRule): [name: string, text: string][] | undefined {
  const slice = members.get(name);
  if (slice === undefined) return undefined;
  if (slice[0] !== OPEN_BRACE) throw wrongType(name, 'an object of strings');
  return [...slicesOf(slice, name)].map(([key, value]) => {
    const text = parseScalar(value);
    if (typeof text !== 'string') throw wrongType(name, 'an object of strings');
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
  assertPythonNames(name, namesIn(slice), rule);
  return slice;
}

export const wrongType = (name: string, words: string): ClusterError => new ClusterError('REQUEST_INVALID', `'${name}' must be ${words}.`);

/** Whatever is not a string, number, boolean or null is left unread: nested values are Python's. */
function parseScalar(slice: Buffer): unknown {
  return slice[0] === OPEN_BRACE || slice[0] === OPEN_BRACKET ? undefined : JSON.parse(slice.toString('utf8'));
}

function slicesOf(slice: Buffer, name: string): Iterable<[string, Buffer]> {
  try {
    return sliceJsonObject(slice, 'refuse');
  } catch (error) {
    throw error instanceof JsonScanError ? new ClusterError('REQUEST_INVALID', `'${name}': ${error.message}`) : error;
  }
}

const CONTROL_CHARACTER = /\p{Cc}/u;
/** Control characters, and halves of surrogate pairs. */
const UNFIT_FOR_TEXT = /[\p{Cc}\p{Cs}]/u;
const OPEN_BRACE = 0x7b;
const OPEN_BRACKET = 0x5b;
