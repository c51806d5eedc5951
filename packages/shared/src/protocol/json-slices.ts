import { isUtf8 } from 'node:buffer';

/**
 * Values are never re-written on their way between the HTTP body and Python: Node's parser would turn
 * 9007199254740993 into …992, 1.0 into 1 and 1e400 into null. This scanner checks size, depth and syntax (RFC 8259) and
 * hands out the raw bytes of each top-level member.
 */

/** Nesting allowed in requests and values; well below what Python's own parser takes. */
export const MAX_JSON_DEPTH = 200;

export class JsonScanError extends Error {
  override readonly name = 'JsonScanError';
  readonly code: 'syntax' | 'depth' | 'duplicate';
  /** Byte offset. */
  readonly position: number;

  constructor(code: 'syntax' | 'depth' | 'duplicate', message: string, position: number) {
    super(`${message} at byte ${position}`);
    this.code = code;
    this.position = position;
  }
}

/**
 * The members of a JSON object as raw slices (views, no copies), by decoded name.
 * Only top-level names must be unique: a signature over bytes and a reader of fields must see the same request. Within
 * values, Python takes the last of a repeated name; `last` reads such an object the same way.
 * @throws JsonScanError
 */
export function sliceJsonObject(bytes: Buffer, repeatedNames: 'refuse' | 'last' = 'refuse'): Map<string, Buffer> {
  if (!isUtf8(bytes)) throw new JsonScanError('syntax', 'text is not UTF-8', 0);
  const scanner = new Scanner(bytes);
  const members = new Map<string, Buffer>();
  scanner.skipSpace();
  scanner.expect(OPEN_BRACE, "an object, '{',");
  scanner.skipSpace();
  if (!scanner.take(CLOSE_BRACE)) {
    do {
      scanner.skipSpace();
      const nameStart = scanner.position;
      scanner.skipString();
      const name = JSON.parse(bytes.toString('utf8', nameStart, scanner.position)) as string;
      if (repeatedNames === 'refuse' && members.has(name)) throw new JsonScanError('duplicate', `member '${name}' stands twice`, nameStart);
      scanner.skipSpace();
      scanner.expect(COLON, "':'");
      scanner.skipSpace();
      const valueStart = scanner.position;
      scanner.skipValue(1);
      members.set(name, bytes.subarray(valueStart, scanner.position));
      scanner.skipSpace();
    } while (scanner.take(COMMA));
    scanner.expect(CLOSE_BRACE, "',' or '}'");
  }
  scanner.expectEnd();
  return members;
}

/** Checks that the bytes are one JSON value. @throws JsonScanError */
export function assertJsonValue(bytes: Buffer): void {
  if (!isUtf8(bytes)) throw new JsonScanError('syntax', 'text is not UTF-8', 0);
  const scanner = new Scanner(bytes);
  scanner.skipSpace();
  scanner.skipValue(0);
  scanner.expectEnd();
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
const LITERALS = new Map([[0x74, Buffer.from('true')], [0x66, Buffer.from('false')], [0x6e, Buffer.from('null')]]); // prettier-ignore
const SIMPLE_ESCAPES = new Set(Buffer.from('"\\/bfnrt'));

class Scanner {
  position = 0;
  private readonly bytes: Buffer;

  constructor(bytes: Buffer) {
    this.bytes = bytes;
  }

  skipSpace(): void {
    for (;;) {
      const byte = this.bytes[this.position];
      if (byte !== 0x20 && byte !== 0x0a && byte !== 0x0d && byte !== 0x09) return;
      this.position += 1;
    }
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

  skipValue(depth: number): void {
    const byte = this.bytes[this.position];
    if (byte === QUOTE) return this.skipString();
    if (depth >= MAX_JSON_DEPTH && (byte === OPEN_BRACE || byte === OPEN_BRACKET)) {
      throw new JsonScanError('depth', `nested deeper than ${MAX_JSON_DEPTH}`, this.position);
    }
    if (byte === OPEN_BRACE) return this.skipObject(depth);
    if (byte === OPEN_BRACKET) return this.skipArray(depth);
    if (byte === MINUS || isDigit(byte)) return this.skipNumber();
    const literal = byte === undefined ? undefined : LITERALS.get(byte);
    if (literal && this.bytes.subarray(this.position, this.position + literal.length).equals(literal)) {
      this.position += literal.length;
      return;
    }
    this.fail('expected a JSON value');
  }

  skipString(): void {
    this.expect(QUOTE, 'a string');
    for (;;) {
      const byte = this.bytes[this.position];
      if (byte === undefined) this.fail('unfinished string');
      if (byte < 0x20) this.fail('control character in a string');
      this.position += 1;
      if (byte === QUOTE) return;
      if (byte === BACKSLASH) this.skipEscape();
    }
  }

  private skipEscape(): void {
    const byte = this.bytes[this.position];
    if (byte !== undefined && SIMPLE_ESCAPES.has(byte)) {
      this.position += 1;
      return;
    }
    const hex = this.bytes.toString('latin1', this.position, this.position + 5);
    if (!/^u[0-9A-Fa-f]{4}$/.test(hex)) this.fail('bad escape in a string');
    this.position += 5;
  }

  private skipObject(depth: number): void {
    this.position += 1;
    this.skipSpace();
    if (this.take(CLOSE_BRACE)) return;
    do {
      this.skipSpace();
      this.skipString();
      this.skipSpace();
      this.expect(COLON, "':'");
      this.skipSpace();
      this.skipValue(depth + 1);
      this.skipSpace();
    } while (this.take(COMMA));
    this.expect(CLOSE_BRACE, "',' or '}'");
  }

  private skipArray(depth: number): void {
    this.position += 1;
    this.skipSpace();
    if (this.take(CLOSE_BRACKET)) return;
    do {
      this.skipSpace();
      this.skipValue(depth + 1);
      this.skipSpace();
    } while (this.take(COMMA));
    this.expect(CLOSE_BRACKET, "',' or ']'");
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
    while (isDigit(this.bytes[this.position])) this.position += 1;
  }

  private fail(message: string): never {
    throw new JsonScanError('syntax', message, this.position);
  }
}

const isDigit = (byte: number | undefined): boolean => byte !== undefined && byte >= ZERO && byte <= NINE;
