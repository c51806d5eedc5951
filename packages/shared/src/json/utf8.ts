/** The last place up to `end` at which no character of the UTF-8 text is cut in two. */
export function characterBoundary(text: Buffer, end: number): number {
  if (end >= text.length) return text.length;
  let place = end;
  while (place > 0 && ((text[place] ?? 0) & 0xc0) === 0x80) place -= 1;
  return place;
}
