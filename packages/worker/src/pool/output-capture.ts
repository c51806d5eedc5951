import { constants, openSync, readSync } from 'node:fs';
import { Socket } from 'node:net';

const READ_BYTES = 65_536;
const NOTHING = { bytes: Buffer.alloc(0), truncated: false };

/**
 * The reading end of one named pipe that a slot's children write their output to. Always drained, so that nobody can
 * block or fill a disk by writing; kept up to a bound, the rest is dropped and marked.
 *
 * The pipe outlives the jobs of its slot. That is sound because a job's end is only reported when every process it had
 * is dead: whatever the pipe holds then is that job's, and `finish` takes all of it. The pipe was readable before that
 * end was reported, so within one turn of the event loop at least its first bytes have been heard of.
 */
export class OutputCapture {
  private readonly descriptor: number;
  private readonly stream: Socket;
  private readonly scratch = Buffer.allocUnsafe(READ_BYTES);
  private chunks: Buffer[] = [];
  private keptBytes = 0;
  private limitBytes = 0;
  private isTruncated = false;
  /** Whether anything came at all. Most jobs print nothing, and asking the pipe costs an exception. */
  private hasHeard = false;

  constructor(path: string) {
    // Read and write: the pipe then never reports end of file between two jobs.
    this.descriptor = openSync(path, constants.O_RDWR | constants.O_NONBLOCK);
    this.stream = new Socket({ fd: this.descriptor, readable: true, writable: false });
    this.stream.on('data', (chunk: Buffer) => this.keep(chunk));
    this.stream.on('error', () => undefined);
  }

  /** Keeps up to `limitBytes` from now on. The last job's `finish` has left the pipe empty. */
  begin(limitBytes: number): void {
    this.chunks = [];
    this.keptBytes = 0;
    this.limitBytes = limitBytes;
    this.isTruncated = false;
  }

  /** All that was written, as valid UTF-8. Call it when no writer is left, at least one turn after hearing so. */
  finish(): { readonly bytes: Buffer; readonly truncated: boolean } {
    if (!this.hasHeard) return NOTHING;
    this.drain();
    this.hasHeard = false;
    const bytes = toValidUtf8(Buffer.concat(this.chunks), this.isTruncated);
    const kept = cutAtCharacter(bytes, this.limitBytes);
    return { bytes: kept, truncated: this.isTruncated || kept.length < bytes.length };
  }

  close(): void {
    this.stream.destroy();
  }

  private keep(chunk: Buffer): void {
    this.hasHeard = true;
    const room = this.limitBytes - this.keptBytes;
    if (chunk.length > room) this.isTruncated = true;
    if (room <= 0) return;
    const kept = Buffer.from(chunk.subarray(0, room));
    this.chunks.push(kept);
    this.keptBytes += kept.length;
  }

  /** Reads past the event loop what it has not delivered yet: it takes a bounded number of bytes a turn. */
  private drain(): void {
    for (;;) {
      try {
        const count = readSync(this.descriptor, this.scratch, 0, READ_BYTES, null);
        if (count === 0) return;
        this.keep(this.scratch.subarray(0, count));
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code === 'EAGAIN') return;
        throw error;
      }
    }
  }
}

/** Each byte that is no UTF-8 has become a character of three, so valid text can be longer than what was kept. */
function cutAtCharacter(bytes: Buffer, limitBytes: number): Buffer {
  if (bytes.length <= limitBytes) return bytes;
  let end = limitBytes;
  while (end > 0 && ((bytes[end] ?? 0) & 0xc0) === 0x80) end -= 1;
  return bytes.subarray(0, end);
}

/** Programs may write any bytes; JSON text may not hold any. A character cut in two by the bound is left out. */
function toValidUtf8(bytes: Buffer, wasCut: boolean): Buffer {
  const text = new TextDecoder('utf-8', { ignoreBOM: true }).decode(bytes, { stream: wasCut });
  return Buffer.from(text, 'utf8');
}
