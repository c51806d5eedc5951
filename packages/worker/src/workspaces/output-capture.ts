import { constants, openSync, readSync } from 'node:fs';
import { Socket } from 'node:net';
import { OutputText } from './output-text';

const READ_BYTES = 65_536;
/** What the kernel holds of a pipe unless its size is changed, which code may not do (pipe(7)). */
const PIPE_BYTES = 65_536;
const NOTHING = { bytes: Buffer.alloc(0), truncated: false };

/**
 * The reading end of one named pipe that a workspace's child writes its output to. Always drained, so that nobody can
 * block or fill a disk by writing; kept up to a bound, the rest is dropped and marked.
 *
 * The pipe outlives the child. That is sound because a child's end is only reported when every process it had is dead:
 * whatever the pipe holds then is that child's, and `finish` takes all of it. The pipe was readable before that end was
 * reported, so within one turn of the event loop at least its first bytes have been heard of. A child that is kept has
 * written all that belongs to its job before it says so; what it writes later goes nowhere.
 */
export class OutputCapture {
  private readonly descriptor: number;
  private readonly stream: Socket;
  private readonly scratch = Buffer.allocUnsafe(READ_BYTES);
  /** As it came, until somebody wants to read it: at the job's end, or sooner where it is watched. */
  private chunks: Buffer[] = [];
  private text = new OutputText(0);
  private keptBytes = 0;
  private limitBytes = 0;
  private isTruncated = false;
  /** Whether anything came at all. Most jobs print nothing, and asking the pipe costs an exception. */
  private hasHeard = false;
  /** Called whenever something was written. */
  onNews: (() => void) | undefined;

  constructor(path: string) {
    // Read and write: the pipe then never reports end of file between two jobs.
    this.descriptor = openSync(path, constants.O_RDWR | constants.O_NONBLOCK);
    this.stream = new Socket({ fd: this.descriptor, readable: true, writable: false });
    this.stream.on('data', (chunk: Buffer) => this.keep(chunk));
    this.stream.on('error', () => undefined);
  }

  /** Keeps up to `limitBytes` from now on, of what is not in the pipe yet. */
  begin(limitBytes: number): void {
    this.discard();
    this.chunks = [];
    this.text = new OutputText(limitBytes);
    this.keptBytes = 0;
    this.limitBytes = limitBytes;
    this.isTruncated = false;
  }

  /**
   * Up to `most` bytes of the text so far, from byte `offset` on, in whole characters; `truncated` with the last of those
   * that are kept, where more was written. Nothing once `finish` was called.
   */
  read(offset: number, most: number): { readonly bytes: Buffer; readonly truncated: boolean } {
    this.decode();
    const bytes = this.text.read(offset, most);
    return { bytes, truncated: (this.isTruncated || this.text.wasCut) && offset + bytes.length === this.text.length };
  }

  /** All that was written, as valid UTF-8. Call it when no writer is left, at least one turn after hearing so. */
  finish(): { readonly bytes: Buffer; readonly truncated: boolean } {
    if (!this.hasHeard) {
      this.text = new OutputText(0);
      this.onNews = undefined;
      return NOTHING;
    }
    this.drain();
    this.hasHeard = false;
    this.decode();
    // A character cut in two by the bound is left out; one that the program itself broke off is told.
    if (!this.isTruncated) this.text.end();
    const { text } = this;
    this.text = new OutputText(0);
    this.onNews = undefined;
    return { bytes: text.all(), truncated: this.isTruncated || text.wasCut };
  }

  /** Drops what was written since `finish`. */
  discard(): void {
    if (this.hasHeard) this.drain();
    this.hasHeard = false;
    this.chunks = [];
    this.keptBytes = 0;
    this.limitBytes = 0;
  }

  close(): void {
    this.stream.destroy();
  }

  private decode(): void {
    if (this.chunks.length > 0) this.text.add(Buffer.concat(this.chunks));
    this.chunks = [];
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

  /**
   * Reads past the event loop what it has not delivered yet. No more than a pipe holds: where a kept child only says that it
   * has written all, reading until nothing comes could go on for ever.
   */
  private drain(): void {
    for (let left = PIPE_BYTES; left > 0;) {
      try {
        const count = readSync(this.descriptor, this.scratch, 0, Math.min(left, READ_BYTES), null);
        if (count === 0) return;
        left -= count;
        this.keep(this.scratch.subarray(0, count));
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code === 'EAGAIN') return;
        throw error;
      }
    }
  }
}
