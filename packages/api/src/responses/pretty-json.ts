/** Bodies beyond are sent on one line: nobody reads them, and each byte costs more here than anywhere else. */
export const MOST_PRETTY_BYTES = 256 * 1_024;
/** Deeper levels are indented no further, so that brackets alone cannot make a long answer of a short one. */
const MOST_INDENTED = 16;

const [QUOTE, BACKSLASH, COLON, COMMA, LINE_FEED] = [0x22, 0x5c, 0x3a, 0x2c, 0x0a];
const OPENING = [0x5b, 0x7b];
const CLOSING = [0x5d, 0x7d];
const SPACES = [0x20, 0x09, 0x0a, 0x0d];

const isPrettyValue = (value: string): boolean => value === '' || value === 'true' || value === '1';

/** Whether the query has `pretty`, which every route with a JSON answer takes. */
export function asksForPretty(url: string): boolean {
  const start = url.indexOf('?');
  if (start < 0) return false;
  const value = new URLSearchParams(url.slice(start + 1)).get('pretty');
  return value !== null && isPrettyValue(value);
}

/** JSON that is sound, one member a line as `JSON.stringify(…, null, 2)` writes it; names and values stay as they were written. */
export function toPretty(json: Buffer): Buffer {
  if (json.length > MOST_PRETTY_BYTES) return json;
  const parts: Buffer[] = [];
  let depth = 0;
  let from = 0;
  const cut = (to: number, then: string): void => {
    parts.push(json.subarray(from, to), Buffer.from(then, 'latin1'));
  };
  const newLine = (): string => `\n${'  '.repeat(Math.min(depth, MOST_INDENTED))}`;
  for (let at = 0; at < json.length; at += 1) {
    const byte = json[at] ?? 0;
    if (byte === QUOTE) {
      at = endOfText(json, at);
    } else if (SPACES.includes(byte)) {
      cut(at, '');
      from = at + 1;
    } else if (byte === COLON) {
      cut(at + 1, ' ');
      from = at + 1;
    } else if (byte === COMMA) {
      cut(at + 1, newLine());
      from = at + 1;
    } else if (OPENING.includes(byte)) {
      const next = skipSpaces(json, at + 1);
      if (CLOSING.includes(json[next] ?? 0)) {
        cut(at + 1, '');
        parts.push(json.subarray(next, next + 1));
        at = next;
      } else {
        depth += 1;
        cut(at + 1, newLine());
      }
      from = at + 1;
    } else if (CLOSING.includes(byte)) {
      depth -= 1;
      cut(at, newLine());
      from = at;
    }
  }
  return Buffer.concat([...parts, json.subarray(from)]);
}

/** Where the text that begins at a quote has its other one. */
function endOfText(json: Buffer, start: number): number {
  let at = start + 1;
  while (at < json.length && json[at] !== QUOTE) at += json[at] === BACKSLASH ? 2 : 1;
  return at;
}

function skipSpaces(json: Buffer, start: number): number {
  let at = start;
  while (SPACES.includes(json[at] ?? 0)) at += 1;
  return at;
}

/** What a terminal needs after an answer, for its next line to be a line. */
export const END_OF_LINE = Buffer.of(LINE_FEED);
