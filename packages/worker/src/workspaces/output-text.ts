import { isUtf8 } from 'node:buffer';
import { characterBoundary } from '@python3-cluster/shared';

/**
 * What a program has written so far, as valid UTF-8: programs may write any bytes, JSON text may not hold any. Bytes that are
 * no UTF-8 become U+FFFD; a character of which only a part has come is held back. So any part that is read is a part of
 * the text there is in the end. Kept up to a limit, less where that would cut a character in two.
 */
export class OutputText {
  private readonly limitBytes: number;
  private readonly pieces: Buffer[] = [];
  /** Where each piece begins. */
  private readonly starts: number[] = [];
  private byteCount = 0;
  private isCut = false;
  private heldBack: Buffer = NOTHING;

  constructor(limitBytes: number) {
    this.limitBytes = limitBytes;
  }

  get length(): number {
    return this.byteCount;
  }

  /** Whether there was more than the limit: each byte that is no UTF-8 has become a character of three. */
  get wasCut(): boolean {
    return this.isCut;
  }

  add(raw: Buffer): void {
    const bytes = this.heldBack.length === 0 ? raw : Buffer.concat([this.heldBack, raw]);
    const end = bytes.length - countUnfinished(bytes);
    this.append(bytes.subarray(0, end));
    this.heldBack = bytes.subarray(end);
  }

  /** Nothing follows: what was held back is a broken character. */
  end(): void {
    this.append(this.heldBack);
    this.heldBack = NOTHING;
  }

  all(): Buffer {
    return this.pieces.length === 1 ? (this.pieces[0] ?? NOTHING) : Buffer.concat(this.pieces);
  }

  /** Up to `most` bytes from `offset` on, in whole characters. */
  read(offset: number, most: number): Buffer {
    const found: Buffer[] = [];
    // Whether the last character is whole is seen by what follows it.
    let wanted = most + 1;
    for (let index = this.pieceAt(offset); index < this.pieces.length && wanted > 0; index += 1) {
      const start = Math.max(0, offset - (this.starts[index] ?? 0));
      const part = this.pieces[index]?.subarray(start, start + wanted) ?? NOTHING;
      found.push(part);
      wanted -= part.length;
    }
    const text = found.length === 1 ? (found[0] ?? NOTHING) : Buffer.concat(found);
    return text.subarray(0, characterBoundary(text, most));
  }

  private append(bytes: Buffer): void {
    if (bytes.length === 0 || this.isCut) return;
    // Most output is valid, and to see that is far cheaper than to write it anew.
    const text = isUtf8(bytes) ? bytes : Buffer.from(bytes.toString('utf8'), 'utf8');
    const room = this.limitBytes - this.byteCount;
    this.isCut = text.length > room;
    const kept = text.subarray(0, characterBoundary(text, room));
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

const NOTHING = Buffer.alloc(0);

/** Bytes at the end that begin a character and do not finish it. */
function countUnfinished(bytes: Buffer): number {
  for (let count = 1; count <= 3 && count <= bytes.length; count += 1) {
    const byte = bytes[bytes.length - count] ?? 0;
    if ((byte & 0xc0) === 0x80) continue;
    const whole = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : byte >= 0xc0 ? 2 : 1;
    return whole > count ? count : 0;
  }
  return 0;
}
