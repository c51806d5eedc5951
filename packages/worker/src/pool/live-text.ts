import { characterBoundary } from '@python3-cluster/shared';

/**
 * The text of a stream that is still being written: what has come so far as valid UTF-8, of which any part can be read
 * again. A character of which only a part has come is held back; other bytes become U+FFFD. Whatever is read is a part of
 * the text that the stream has in the end.
 */
export class LiveText {
  private readonly decoder = new TextDecoder('utf-8', { ignoreBOM: true });
  private readonly limitBytes: number;
  private readonly pieces: Buffer[] = [];
  /** Where each piece begins. */
  private readonly starts: number[] = [];
  private byteCount = 0;
  private isCut = false;

  constructor(limitBytes: number) {
    this.limitBytes = limitBytes;
  }

  get length(): number {
    return this.byteCount;
  }

  /** Whether the text was longer than its limit: each byte that is no UTF-8 has become a character of three. */
  get wasCut(): boolean {
    return this.isCut;
  }

  add(raw: Buffer): void {
    this.append(this.decoder.decode(raw, { stream: true }));
  }

  /** Nothing follows: what was held back is a broken character. */
  end(): void {
    this.append(this.decoder.decode());
  }

  all(): Buffer {
    return Buffer.concat(this.pieces);
  }

  /** Up to `most` bytes from `offset` on, in whole characters. */
  read(offset: number, most: number): Buffer {
    const found: Buffer[] = [];
    // A character may go over the end of what is asked for; it is seen to be whole or not by what follows.
    let wanted = most + LONGEST_CHARACTER;
    for (let index = this.pieceAt(offset); index < this.pieces.length && wanted > 0; index += 1) {
      const start = Math.max(0, offset - (this.starts[index] ?? 0));
      const part = this.pieces[index]?.subarray(start, start + wanted);
      if (part === undefined || part.length === 0) continue;
      found.push(part);
      wanted -= part.length;
    }
    const text = found.length === 1 && found[0] !== undefined ? found[0] : Buffer.concat(found);
    return text.subarray(0, characterBoundary(text, most));
  }

  private append(text: string): void {
    if (text === '' || this.isCut) return;
    const bytes = Buffer.from(text, 'utf8');
    const room = this.limitBytes - this.byteCount;
    this.isCut = bytes.length > room;
    const kept = this.isCut ? bytes.subarray(0, characterBoundary(bytes, room)) : bytes;
    if (kept.length === 0) return;
    this.starts.push(this.byteCount);
    this.pieces.push(kept);
    this.byteCount += kept.length;
  }

  /** The piece that holds the byte at `offset`, or the last one. */
  private pieceAt(offset: number): number {
    let [low, high] = [0, this.starts.length - 1];
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if ((this.starts[middle] ?? 0) <= offset) low = middle;
      else high = middle - 1;
    }
    return Math.max(0, low);
  }
}

const LONGEST_CHARACTER = 4;
