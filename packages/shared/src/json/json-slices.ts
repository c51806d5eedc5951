import { isUtf8 } from 'node:buffer';
import { atOnce, type Steps } from '../lifecycle/turns';
import { JSON_BYTES, JsonScanError, JsonScanner } from './json-scanner';

export { JsonScanError, MAX_JSON_DEPTH } from './json-scanner';

/**
 * Values are never re-written on their way between the HTTP body and Python: Node's parser would turn
 * 9007199254740993 into …992, 1.0 into 1 and 1e400 into null. This scanner checks size, depth and syntax (RFC 8259) and
 * hands out the raw bytes of each top-level member.
 */

/** How many names a reader takes, those given twice counted twice, and how long ones, as they are written. */
export interface NameBounds {
  readonly mostNames: number;
  readonly mostNameBytes: number;
}

const UNBOUNDED: NameBounds = { mostNames: Infinity, mostNameBytes: Infinity };

/** Names between two pauses: reading one costs as much as passing a hundred bytes. */
export const TURN_NAMES = 2_048;

/** Bytes between two pauses of the check for UTF-8, which is far faster than what follows it. */
const TURN_UTF8_BYTES = 4 * 1_048_576;

/**
 * The members of a JSON object as raw slices (views, no copies), by decoded name.
 * Only top-level names must be unique: a signature over bytes and a reader of fields must see the same request. Within
 * values, Python takes the last of a repeated name; `last` reads such an object the same way.
 * @throws JsonScanError
 */
export const sliceJsonObject = (bytes: Buffer, repeatedNames: RepeatedNames = 'refuse', bounds?: NameBounds): Map<string, Buffer> =>
  atOnce(slicingJsonObject(bytes, repeatedNames, bounds));

export type RepeatedNames = 'refuse' | 'last';

/** The same in steps, for large content. The names are bounded before they are looked at. @throws JsonScanError */
export function* slicingJsonObject(
  bytes: Buffer,
  repeatedNames: RepeatedNames = 'refuse',
  { mostNames, mostNameBytes }: NameBounds = UNBOUNDED,
): Steps<Map<string, Buffer>> {
  yield* checkingUtf8(bytes);
  const scanner = new JsonScanner(bytes);
  const members = new Map<string, Buffer>();
  scanner.skipSpace();
  scanner.expect(JSON_BYTES.OPEN_BRACE, "an object, '{',");
  scanner.skipSpace();
  if (!scanner.take(JSON_BYTES.CLOSE_BRACE)) {
    let count = 0;
    do {
      scanner.skipSpace();
      const nameStart = scanner.position;
      count += 1;
      if (count > mostNames) throw new JsonScanError('names', `more than ${mostNames} names`, nameStart);
      yield* scanner.string();
      if (scanner.position - nameStart > mostNameBytes + 2)
        throw new JsonScanError('names', `a name of more than ${mostNameBytes} bytes`, nameStart);
      const name = JSON.parse(bytes.toString('utf8', nameStart, scanner.position)) as string;
      if (repeatedNames === 'refuse' && members.has(name))
        throw new JsonScanError('duplicate', `member '${name.slice(0, SHOWN_NAME)}' stands twice`, nameStart);
      scanner.skipSpace();
      scanner.expect(JSON_BYTES.COLON, "':'");
      scanner.skipSpace();
      const valueStart = scanner.position;
      yield* scanner.value(1);
      members.set(name, bytes.subarray(valueStart, scanner.position));
      scanner.skipSpace();
      if (scanner.isTired || count % TURN_NAMES === 0) yield* scanner.pause();
    } while (scanner.take(JSON_BYTES.COMMA));
    scanner.expect(JSON_BYTES.CLOSE_BRACE, "',' or '}'");
  }
  scanner.expectEnd();
  return members;
}

/** Of a name in a message. */
const SHOWN_NAME = 100;

/** Checks that the bytes are one JSON value. @throws JsonScanError */
export const assertJsonValue = (bytes: Buffer): void => atOnce(checkingJsonValue(bytes));

/** The same in steps, for large content. @throws JsonScanError */
export function* checkingJsonValue(bytes: Buffer): Steps<void> {
  yield* checkingUtf8(bytes);
  const scanner = new JsonScanner(bytes);
  scanner.skipSpace();
  yield* scanner.value(0);
  scanner.expectEnd();
}

function* checkingUtf8(bytes: Buffer): Steps<void> {
  for (let start = 0; start < bytes.length;) {
    const end = lastCharacterEnd(bytes, start + TURN_UTF8_BYTES);
    if (!isUtf8(bytes.subarray(start, end))) throw new JsonScanError('syntax', 'text is not UTF-8', 0);
    start = end;
    if (start < bytes.length) yield;
  }
}

/** The last place up to `end` at which no character is cut; of bytes that are no characters, one of the last few. */
function lastCharacterEnd(bytes: Buffer, end: number): number {
  if (end >= bytes.length) return bytes.length;
  let place = end;
  while (place > end - 4 && ((bytes[place] ?? 0) & 0xc0) === 0x80) place -= 1;
  return place;
}
