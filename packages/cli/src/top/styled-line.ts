import { clip, toPlainText } from './plain-text';

const CODES = { plain: '', bold: '1', dim: '2', red: '1;31', yellow: '33', green: '32', heading: '1;7' } as const;

export type Style = keyof typeof CODES;

export interface Segment {
  readonly text: string;
  readonly style?: Style;
}

export type StyledLine = readonly Segment[];

/** The only way from a text to the terminal: whatever the segments hold, no control character of theirs gets there. */
export function formatLine(line: StyledLine, columns: number, colours: boolean): string {
  let left = columns;
  let out = '';
  for (const { text, style = 'plain' } of line) {
    const shown = clip(toPlainText(text), left);
    left -= shown.length;
    out += colours && CODES[style] !== '' && shown !== '' ? `\u001b[${CODES[style]}m${shown}\u001b[0m` : shown;
  }
  return out;
}
