import { constants, openSync, readSync } from 'node:fs';
import { Socket } from 'node:net';
import { characterBoundary } from '@python3-cluster/shared';
import { LiveText } from './live-text';

const READ_BYTES = 65_536;

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
  /** The text so far, of a job whose output somebody watches. What has become part of it is no longer in `chunks`. */
  private live: LiveText | undefined;
  /** Called whenever something was written. */
  onNews: (() => void) | undefined;

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
    this.live = undefined;
  }

  /**
   * Up to `most` bytes of the text so far, from byte `offset` on, in whole characters; `truncated` with the last of those
   * that are kept, where more was written. Nothing once `finish` was called.
   */
  read(offset: number, most: number): { readonly bytes: Buffer; readonly truncated: boolean } {
    const live = this.decodeSoFar();
    const bytes = live.read(offset, most);
    return { bytes, truncated: (this.isTruncated || live.wasCut) && offset + bytes.length === live.length };
  }

  /** All that was written, as valid UTF-8. Call it when no writer is left, at least one turn after hearing so. */
  finish(): { readonly bytes: Buffer; readonly truncated: boolean } {
    if (this.hasHeard) this.drain();
    this.hasHeard = false;
    const finished = this.live === undefined ? this.decodeAll() : this.decodeRest();
    this.chunks = [];
    this.live = undefined;
    this.onNews = undefined;
    return finished;
  }

  close(): void {
    this.stream.destroy();
  }

  private decodeAll(): { readonly bytes: Buffer; readonly truncated: boolean } {
    const bytes = toValidUtf8(Buffer.concat(this.chunks), this.isTruncated);
    const kept = bytes.subarray(0, characterBoundary(bytes, this.limitBytes));
    return { bytes: kept, truncated: this.isTruncated || kept.length < bytes.length };
  }

  /** The same, where most of it has been decoded for those who watch. */
  private decodeRest(): { readonly bytes: Buffer; readonly truncated: boolean } {
    const live = this.decodeSoFar();
    if (!this.isTruncated) live.end();
    return { bytes: live.all(), truncated: this.isTruncated || live.wasCut };
  }

  private decodeSoFar(): LiveText {
    this.live ??= new LiveText(this.limitBytes);
    if (this.chunks.length > 0) this.live.add(Buffer.concat(this.chunks));
    this.chunks = [];
    return this.live;
  }

  private keep(chunk: Buffer): void {
    this.hasHeard = true;
    const room = this.limitBytes - this.keptBytes;
    if (chunk.length > room) this.isTruncated = true;
    if (room > 0) {
      const kept = Buffer.from(chunk.subarray(0, room));
      this.chunks.push(kept);
      this.keptBytes += kept.length;
    }
    this.onNews?.();
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

/** Programs may write any bytes; JSON text may not hold any. A character cut in two by the bound is left out. */
function toValidUtf8(bytes: Buffer, wasCut: boolean): Buffer {
  const text = new TextDecoder('utf-8', { ignoreBOM: true }).decode(bytes, { stream: wasCut });
  return Buffer.from(text, 'utf8');
}
