/**
 * What a terminal shows as one column each: printable ASCII, and the letters and signs of Latin, Greek and Cyrillic. All
 * else is replaced. Names come from callers and hosts; an escape sequence in one could rewrite the screen, a mark that
 * turns the direction of writing could make one name look like another.
 */
const NOT_PLAIN =
  /[^\u0020-\u007e\u00a1-\u00ac\u00ae-\u024f\u0370-\u0377\u037b-\u037e\u0384-\u03ff\u0400-\u0482\u048a-\u04ff\u2010-\u2026]/gu;

export const toPlainText = (text: string): string => text.replace(NOT_PLAIN, '?');

/** Cut to so many columns, which an ellipsis then says. The text is plain. */
export function clip(text: string, columns: number): string {
  if (text.length <= columns) return text;
  return columns <= 0 ? '' : `${text.slice(0, columns - 1)}…`;
}
