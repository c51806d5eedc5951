/** Of a JSON text this much is looked at. */
const MOST_BYTES = 4_096;
const MOST_CHARACTERS = 120;

/**
 * The first line of code that says something, by which people know a program again; '' where its beginning has none. The slice is a
 * JSON string, of which only the beginning is read: an escape or a character that is cut there is left out.
 */
export function firstLineOf(slice: Buffer): string {
  const beginning = slice
    .subarray(0, MOST_BYTES)
    .toString('utf8')
    .replace(/\uFFFD$/, '');
  const inner =
    slice.length > MOST_BYTES ? beginning.slice(1).replace(/(?<!\\)((?:\\\\)*)\\(?:u[0-9a-fA-F]{0,3})?$/, '$1') : beginning.slice(1, -1);
  let text: string;
  try {
    text = JSON.parse(`"${inner}"`) as string;
  } catch {
    return '';
  }
  const line = text.split(/\r\n|[\r\n]/).find((one) => one.trim() !== '' && !one.trim().startsWith('#')) ?? '';
  // eslint-disable-next-line no-control-regex
  const printable = line.trim().replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069]/g, ' ');
  const characters = [...printable];
  return characters.length > MOST_CHARACTERS ? `${characters.slice(0, MOST_CHARACTERS).join('')}…` : printable;
}
