import { clip, toPlainText } from './plain-text';
import type { Segment, Style, StyledLine } from './styled-line';

export interface Column<Row> {
  readonly title: string;
  readonly width: number;
  readonly align: 'left' | 'right';
  readonly text: (row: Row) => string;
  readonly style?: (row: Row) => Style;
}

/** A heading, and as many rows as fit into so many lines; the last one says how many more there are. */
export function formatTable<Row>(columns: readonly Column<Row>[], rows: readonly Row[], lines: number): StyledLine[] {
  const shown = rows.length < lines ? rows : rows.slice(0, Math.max(0, lines - 2));
  const heading: StyledLine = columns.map((column) => ({ text: fit(column.title, column), style: 'heading' }));
  const body = shown.map((row) =>
    columns.map((column): Segment => ({ text: fit(column.text(row), column), style: column.style?.(row) ?? 'plain' })),
  );
  const more = rows.length - shown.length;
  return [heading, ...body, ...(more > 0 ? [[{ text: `… and ${more} more`, style: 'dim' } as const]] : [])];
}

/** Padded to the column's width, and one space. */
function fit(text: string, { width, align }: { readonly width: number; readonly align: 'left' | 'right' }): string {
  const shown = clip(toPlainText(text), width);
  return `${align === 'left' ? shown.padEnd(width) : shown.padStart(width)} `;
}
