import { isUtf8 } from 'node:buffer';
import { atOnce, type Steps } from '../lifecycle/turns';
import { JSON_BYTES, JsonScanError, JsonScanner } from './json-scanner';

export { JsonScanError, MAX_JSON_DEPTH } from './json-scanner';

/**
 * Values are never re-written on their way between the HTTP body and Python: Node's parser would turn
 * 9007199254740993 into …992, 1.0 into 1 and 1e400 into null. This scanner checks size, depth and syntax (RFC 8259) and
 * hands out the raw bytes of each top-level member.
 */

/**
 * The members of a JSON object as raw slices (views, no copies), by decoded name.
 * Only top-level names must be unique: a signature over bytes and a reader of fields must see the same request. Within
 * values, Python takes the last of a repeated name; `last` reads such an object the same way.
 * @throws JsonScanError
 */
export const sliceJsonObject = (bytes: Buffer, repeatedNames: RepeatedNames = 'refuse'): Map<string, Buffer> =>
  atOnce(slicingJsonObject(bytes, repeatedNames));

export type RepeatedNames = 'refuse' | 'last';

/** The same in steps, for large content. @throws JsonScanError */
export function* slicingJsonObject(bytes: Buffer, repeatedNames: RepeatedNames = 'refuse'): Steps<Map<string, Buffer>> {
  if (!isUtf8(bytes)) throw new JsonScanError('syntax', 'text is not UTF-8', 0);
  const scanner = new JsonScanner(bytes);
  const members = new Map<string, Buffer>();
  scanner.skipSpace();
  scanner.expect(JSON_BYTES.OPEN_BRACE, "an object, '{',");
  scanner.skipSpace();
  if (!scanner.take(JSON_BYTES.CLOSE_BRACE)) {
    do {
      scanner.skipSpace();
      const nameStart = scanner.position;
      yield* scanner.string();
      const name = JSON.parse(bytes.toString('utf8', nameStart, scanner.position)) as string;
      if (repeatedNames === 'refuse' && members.has(name)) throw new JsonScanError('duplicate', `member '${name}' stands twice`, nameStart);
      scanner.skipSpace();
      scanner.expect(JSON_BYTES.COLON, "':'");
      scanner.skipSpace();
      const valueStart = scanner.position;
      yield* scanner.value(1);
      members.set(name, bytes.subarray(valueStart, scanner.position));
      scanner.skipSpace();
    } while (scanner.take(JSON_BYTES.COMMA));
    scanner.expect(JSON_BYTES.CLOSE_BRACE, "',' or '}'");
  }
  scanner.expectEnd();
  return members;
}

/** Checks that the bytes are one JSON value. @throws JsonScanError */
export const assertJsonValue = (bytes: Buffer): void => atOnce(checkingJsonValue(bytes));

/** The same in steps, for large content. @throws JsonScanError */
export function* checkingJsonValue(bytes: Buffer): Steps<void> {
  if (!isUtf8(bytes)) throw new JsonScanError('syntax', 'text is not UTF-8', 0);
  const scanner = new JsonScanner(bytes);
  scanner.skipSpace();
  yield* scanner.value(0);
  scanner.expectEnd();
}
