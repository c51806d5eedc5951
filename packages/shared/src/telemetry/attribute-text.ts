/**
 * Text that others chose, as a span may carry it: bounded, and without lone surrogates, which the protobuf of a batch would
 * turn into invalid UTF-8, for which a collector refuses everybody's spans.
 */
export function toAttributeText(text: string, maxCharacters: number): string {
  const cut = text.length > maxCharacters ? text.slice(0, maxCharacters) : text;
  return LONE_SURROGATE.test(cut) ? cut.replace(new RegExp(LONE_SURROGATE, 'gu'), '\uFFFD') : cut;
}

const LONE_SURROGATE = /\p{Surrogate}/u;

/** Of the name of an exception's class. */
export const MAX_ERROR_TYPE = 128;
