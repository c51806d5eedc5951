import { TURN_BYTES, type Steps } from '../lifecycle/turns';

/** Nesting allowed in requests and values; well below what Python's own parser takes. */
export const MAX_JSON_DEPTH = 200;

/** `names`: more of them, or longer ones, than the reader takes. */
export type JsonFault = 'syntax' | 'depth' | 'duplicate' | 'names';

export class JsonScanError extends Error {
  override readonly name = 'JsonScanError';
  readonly code: JsonFault;
  /** Byte offset. */
  readonly position: number;

  constructor(code: JsonFault, message: string, position: number) {
    super(`${message} at byte ${position}`);
    this.code = code;
    this.position = position;
  }
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;
const OPEN_BRACKET = 0x5b;
const CLOSE_BRACKET = 0x5d;
const COLON = 0x3a;
const COMMA = 0x2c;
const MINUS = 0x2d;
const DOT = 0x2e;
const ZERO = 0x30;
const NINE = 0x39;
const LOWER_U = 0x75;
const LITERALS = new Map([[0x74, Buffer.from('true')], [0x66, Buffer.from('false')], [0x6e, Buffer.from('null')]]); // prettier-ignore
const SIMPLE_ESCAPES = new Set(Buffer.from('"\\/bfnrt'));

export const JSON_BYTES = { OPEN_BRACE, CLOSE_BRACE, COLON, COMMA } as const;

/**
 * Bytes of a run that are looked at one by one before it is searched in windows, which pays only for long ones. The first
 * window is small: text with an escape here and there must not have a large one copied for each.
 */
const SHORT_RUN_BYTES = 64;
const FIRST_WINDOW_BYTES = 256;
const WINDOW_BYTES = 16_384;
/** Runs of space or of digits are passed in one go, so there is an end to them: nobody writes such ones. */
export const MAX_RUN_BYTES = 1_048_576;
// eslint-disable-next-line no-control-regex -- control characters are what it looks for
const ENDS_PLAIN_TEXT = /[\u0000-\u001f"\\]/;
const ENDS_SPACE = /[^ \n\r\t]/;
const ENDS_DIGITS = /[^0-9]/;

/**
 * Walks over JSON text (RFC 8259) and checks it; every step fails with a `JsonScanError` at the first wrong byte. It pauses
 * after each `TURN_BYTES`, however many values, names or strings these are: between two pauses it passes no more than that
 * and a few of the longest runs.
 */
export class JsonScanner {
  position = 0;
  private readonly bytes: Buffer;
  private pauseAt = TURN_BYTES;

  constructor(bytes: Buffer) {
    this.bytes = bytes;
  }

  /** One value that stands at this depth. Iterative: nesting is the text's choice, our stack is not. */
  *value(depth: number): Steps<void> {
    const around: number[] = [];
    for (let isName = false; ;) {
      if (this.isTired) yield* this.pause();
      const byte = this.bytes[this.position];
      if (byte === QUOTE || isName) {
        this.expect(QUOTE, 'a string');
        while (!this.skipText()) yield* this.pause();
        if (isName) {
          isName = this.beginMember();
          continue;
        }
      } else if (byte === OPEN_BRACE || byte === OPEN_BRACKET) {
        this.assertDepth(depth + around.length);
        if (!this.beginContainer(byte)) {
          around.push(byte);
          isName = byte === OPEN_BRACE;
          continue;
        }
      } else this.skipScalar(byte);
      let next = this.leaveValue(around);
      while (next === LEFT) {
        if (this.isTired) yield* this.pause();
        next = this.leaveValue(around);
      }
      if (next === undefined) return;
      isName = next === OPEN_BRACE;
    }
  }

  *string(): Steps<void> {
    this.expect(QUOTE, 'a string');
    while (!this.skipText()) yield* this.pause();
  }

  *pause(): Steps<void> {
    yield;
    this.pauseAt = this.position + TURN_BYTES;
  }

  get isTired(): boolean {
    return this.position >= this.pauseAt;
  }

  skipSpace(): void {
    for (let count = 0; count < SHORT_RUN_BYTES; count += 1) {
      const byte = this.bytes[this.position];
      if (byte !== 0x20 && byte !== 0x0a && byte !== 0x0d && byte !== 0x09) return;
      this.position += 1;
    }
    this.skipRun(ENDS_SPACE, 'space');
  }

  take(byte: number): boolean {
    if (this.bytes[this.position] !== byte) return false;
    this.position += 1;
    return true;
  }

  expect(byte: number, words: string): void {
    if (!this.take(byte)) this.fail(`expected ${words}`);
  }

  expectEnd(): void {
    this.skipSpace();
    if (this.position !== this.bytes.length) this.fail('unexpected text after the value');
  }

  private assertDepth(depth: number): void {
    if (depth >= MAX_JSON_DEPTH) throw new JsonScanError('depth', `nested deeper than ${MAX_JSON_DEPTH}`, this.position);
  }

  /** @returns whether it was empty, and is passed */
  private beginContainer(opening: number): boolean {
    this.position += 1;
    this.skipSpace();
    return this.take(opening === OPEN_BRACE ? CLOSE_BRACE : CLOSE_BRACKET);
  }

  /** From behind a name to its value. @returns false: what follows is no name */
  private beginMember(): false {
    this.skipSpace();
    this.expect(COLON, "':'");
    this.skipSpace();
    return false;
  }

  /**
   * Past what may follow a value.
   * @returns what is still open and has another member, `LEFT` where that was its last, undefined where nothing is open
   */
  private leaveValue(around: number[]): number | undefined {
    const container = around.at(-1);
    if (container === undefined) return undefined;
    this.skipSpace();
    if (this.take(COMMA)) {
      this.skipSpace();
      return container;
    }
    if (container === OPEN_BRACE) this.expect(CLOSE_BRACE, "',' or '}'");
    else this.expect(CLOSE_BRACKET, "',' or ']'");
    around.pop();
    return LEFT;
  }

  /** The rest of a string. @returns false if it is time to pause there: then call it again */
  private skipText(): boolean {
    const { pauseAt } = this;
    let plainFrom = this.position;
    while (this.position < pauseAt) {
      const byte = this.bytes[this.position];
      if (byte === undefined) this.fail('unfinished string');
      if (byte < 0x20) this.fail('control character in a string');
      this.position += 1;
      if (byte === QUOTE) return true;
      if (byte === BACKSLASH) {
        this.skipEscape();
        plainFrom = this.position;
      } else if (this.position - plainFrom > SHORT_RUN_BYTES) this.skipUntil(ENDS_PLAIN_TEXT, pauseAt);
    }
    return false;
  }

  /** Past bytes until one is found, the end, or about `pauseAt`. */
  private skipUntil(what: RegExp, pauseAt: number): void {
    for (let size = FIRST_WINDOW_BYTES; this.position < pauseAt; size = Math.min(WINDOW_BYTES, size * 2)) {
      const window = this.bytes.toString('latin1', this.position, this.position + size);
      const end = window.search(what);
      this.position += end < 0 ? window.length : end;
      if (end >= 0 || window === '') return;
    }
  }

  private skipRun(what: RegExp, words: string): void {
    const end = this.position + MAX_RUN_BYTES;
    this.skipUntil(what, end);
    if (this.position >= end) this.fail(`more than ${MAX_RUN_BYTES} bytes of ${words}`);
  }

  private skipEscape(): void {
    const byte = this.bytes[this.position];
    if (byte !== undefined && SIMPLE_ESCAPES.has(byte)) {
      this.position += 1;
      return;
    }
    const at = this.position;
    const isCodeUnit = byte === LOWER_U && [1, 2, 3, 4].every((offset) => isHexDigit(this.bytes[at + offset]));
    if (!isCodeUnit) this.fail('bad escape in a string');
    this.position += 5;
  }

  private skipScalar(byte: number | undefined): void {
    if (byte === MINUS || isDigit(byte)) return this.skipNumber();
    const literal = byte === undefined ? undefined : LITERALS.get(byte);
    if (!literal || !this.bytes.subarray(this.position, this.position + literal.length).equals(literal)) this.fail('expected a JSON value');
    this.position += literal.length;
  }

  private skipNumber(): void {
    this.take(MINUS);
    if (!this.take(ZERO)) this.skipDigits();
    if (this.take(DOT)) this.skipDigits();
    if (this.take(0x65) || this.take(0x45)) {
      if (!this.take(0x2b)) this.take(MINUS);
      this.skipDigits();
    }
  }

  private skipDigits(): void {
    if (!isDigit(this.bytes[this.position])) this.fail('expected a digit');
    for (let count = 0; count < SHORT_RUN_BYTES; count += 1) {
      if (!isDigit(this.bytes[this.position])) return;
      this.position += 1;
    }
    this.skipRun(ENDS_DIGITS, 'digits');
  }

  private fail(message: string): never {
    throw new JsonScanError('syntax', message, this.position);
  }
}

/** No byte: an array or object was closed. */
const LEFT = -1;

const isDigit = (byte: number | undefined): boolean => byte !== undefined && byte >= ZERO && byte <= NINE;
const isHexDigit = (byte: number | undefined): boolean =>
  isDigit(byte) || (byte !== undefined && ((byte >= 0x41 && byte <= 0x46) || (byte >= 0x61 && byte <= 0x66)));
