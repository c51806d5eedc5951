import { readFileSync } from 'node:fs';
import { isAbsolute } from 'node:path';
import { parseRedisTarget } from './redis-target';

/** What a parser answers: the value, or one clause that says what is wrong ("must be …"). */
export type Parsed<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly problem: string };

export type Parser<T> = (text: string) => Parsed<T>;

export interface Option<T> {
  /** Name of the environment variable. */
  readonly name: string;
  /** Older names that mean the same; using both with different values is a problem. */
  readonly aliases?: readonly string[];
  readonly description: string;
  /** Shape and range in words, for the generated page. */
  readonly accepts: string;
  readonly parse: Parser<T>;
  readonly default: T;
  /** How the default reads on the generated page, where it is computed. */
  readonly defaultText?: string;
  /** Secrets may also come from the file named by `<NAME>_FILE`, and are never printed. */
  readonly secret?: boolean;
}

export const option = <const T>(definition: Option<T>): Option<T> => definition;

const ok = <T>(value: T): Parsed<T> => ({ ok: true, value });
const bad = (problem: string): { readonly ok: false; readonly problem: string } => ({ ok: false, problem });

export const integerBetween =
  (least: number, most: number): Parser<number> =>
  (text) => {
    const value = Number(text);
    return /^-?\d+$/.test(text) && value >= least && value <= most ? ok(value) : bad(`must be a whole number from ${least} to ${most}`);
  };

export const numberBetween =
  (least: number, most: number): Parser<number> =>
  (text) => {
    const value = Number(text);
    return /^\d*\.?\d+$/.test(text) && value >= least && value <= most ? ok(value) : bad(`must be a number from ${least} to ${most}`);
  };

/** Kept without slashes at its end, so that paths can be put behind it. */
export const httpUrl: Parser<string> = (text) => {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  const isHttp = url?.protocol === 'http:' || url?.protocol === 'https:';
  return isHttp && url.username === '' && url.password === ''
    ? ok(text.replace(/\/+$/, ''))
    : bad('must be a URL that begins with http:// or https:// and holds no password');
};

/** The like, to be called as it stands: some servers tell `/hook/` from `/hook`. */
export const exactHttpUrl: Parser<string> = (text) => {
  const parsed = httpUrl(text);
  return parsed.ok ? ok(text) : parsed;
};

/** Strict on purpose: `True`, `1` or `yes` are refused rather than read as one or the other. */
export const boolean: Parser<boolean> = (text) =>
  text === 'true' || text === 'false' ? ok(text === 'true') : bad("must be 'true' or 'false'");

export const oneOf =
  <const T extends string>(...choices: readonly T[]): Parser<T> =>
  (text) =>
    (choices as readonly string[]).includes(text) ? ok(text as T) : bad(`must be one of ${choices.join(', ')}`);

export const matching =
  (pattern: RegExp, words: string): Parser<string> =>
  (text) =>
    pattern.test(text) ? ok(text) : bad(`must be ${words}`);

export const listOf =
  (pattern: RegExp, words: string): Parser<readonly string[]> =>
  (text) => {
    const items = text
      .split(',')
      .map((item) => item.trim())
      .filter((item) => item !== '');
    const wrong = items.find((item) => !pattern.test(item));
    return wrong === undefined ? ok(Object.freeze(items)) : bad(`must be a comma-separated list of ${words}`);
  };

/** Inclusive. */
export interface UidRange {
  readonly first: number;
  readonly last: number;
}

/** Users below 1000 are the system's, and the highest number means "no user". */
export const uidRange: Parser<UidRange> = (text) => {
  const [, first, last] = /^(\d{4,10})-(\d{4,10})$/.exec(text)?.map(Number) ?? [];
  const isRange = first !== undefined && last !== undefined && first >= 1_000 && first < last && last < 2 ** 32 - 1;
  return isRange ? ok(Object.freeze({ first, last })) : bad('must be two numbers from 1000 on, such as 61000-61999');
};

export const secretOfAtLeast =
  (characters: number): Parser<string> =>
  (text) =>
    text.length >= characters ? ok(text) : bad(`must have at least ${characters} characters`);

/** Kept as text: it is passed on to processes, and read again by whoever connects. */
export const redisUrl: Parser<string> = (text) => {
  const parsed = parseRedisTarget(text);
  return parsed.ok ? ok(text) : parsed;
};

/** A file this process can read now. */
export const readableFile: Parser<string> = (text) => {
  try {
    if (isAbsolute(text) && readFileSync(text).length > 0) return ok(text);
    return bad('must be the absolute path of a file that is not empty');
  } catch (error) {
    return bad(`must be a file that can be read (${(error as NodeJS.ErrnoException).code ?? 'unknown error'})`);
  }
};
