import type { WriteStream } from 'node:tty';
import type { TerminalSize } from './render-top';
import { formatLine, type StyledLine } from './styled-line';

/** The other screen, without cursor and without wrapping; and back, as it was. */
const OPEN = '\u001b[?1049h\u001b[?25l\u001b[?7l';
const CLOSE = '\u001b[?7h\u001b[?25h\u001b[?1049l';
const HOME = '\u001b[H';
const CLEAR_TO_LINE_END = '\u001b[K';
const CLEAR_BELOW = '\u001b[J';

/** The terminal's other screen while it is open; what stood there before is back when it is closed. */
export class Screen {
  private readonly output: WriteStream;
  private readonly colours: boolean;
  private isOpen = false;

  constructor(output: WriteStream, colours: boolean) {
    this.output = output;
    this.colours = colours;
  }

  get size(): TerminalSize {
    // Some terminals say 0 until they know.
    return { columns: this.output.columns || 80, rows: this.output.rows || 24 };
  }

  open(): void {
    this.isOpen = true;
    this.output.write(OPEN);
  }

  /** Over what stands there, in one write: no flicker. */
  draw(lines: readonly StyledLine[]): void {
    if (!this.isOpen) return;
    const { columns } = this.size;
    const text = lines.map((line) => formatLine(line, columns, this.colours) + CLEAR_TO_LINE_END).join('\r\n');
    this.output.write(HOME + text + CLEAR_BELOW);
  }

  close(): void {
    if (!this.isOpen) return;
    this.isOpen = false;
    this.output.write(CLOSE);
  }
}
