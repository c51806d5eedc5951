import { fstatSync, write, writeSync } from 'node:fs';

/** What waits to be written is held up to this; beyond it lines are dropped. */
const MOST_PENDING_BYTES = 1_048_576;
const STDERR = 2;

/** What the system is asked to take the log. Neither kind ever keeps the event loop, or the end of the process, waiting. */
interface Outlet {
  /** Bytes that it has taken and not got rid of. */
  readonly heldBytes: number;
  /** Told what became of the text: whether all of it was written, as far as that can be known. */
  readonly write: (text: string, onDone: (isWritten: boolean) => void) => void;
  /** What can be written without waiting, when the process ends. */
  readonly writeLast: (text: string) => void;
}

let dropped = 0;
/** Lines of this process that nobody can read any more. */
export const droppedLogLines = (): number => dropped;

/**
 * Where log lines go: standard error. A disk that is full and a reader that reads nothing must not hold up jobs, health or
 * the end of the process. So lines are kept in memory up to a bound, and then dropped and counted; when it works again, one line says how many.
 *
 *   write ─▶ lines of this turn ─▶ outlet (file: one write under way; pipe, socket: what the kernel does not take at once is queued)
 *                └─ more than the bound, or an error ─▶ dropped, counted
 */
export class LogSink {
  private readonly outlet: Outlet;
  private readonly describeDropped: (lines: number) => string;
  private lines: string[] = [];
  private pendingBytes = 0;
  private isWriting = false;
  private isPlanned = false;
  private droppedSinceTold = 0;

  constructor(describeDropped: (lines: number) => string, outlet = createOutlet()) {
    this.outlet = outlet;
    this.describeDropped = describeDropped;
    process.on('exit', () => this.flushLast());
  }

  write(line: string): void {
    if (this.pendingBytes + this.outlet.heldBytes + line.length > MOST_PENDING_BYTES) {
      this.drop(1);
      return;
    }
    this.lines.push(line);
    this.pendingBytes += line.length;
    if (this.isPlanned || this.isWriting) return;
    this.isPlanned = true;
    setImmediate(() => this.flush());
  }

  private flush(): void {
    this.isPlanned = false;
    if (this.lines.length === 0) return;
    const { lines, droppedSinceTold } = this;
    if (droppedSinceTold > 0) lines.unshift(this.describeDropped(droppedSinceTold));
    this.lines = [];
    this.isWriting = true;
    this.outlet.write(lines.join(''), (isWritten) => {
      this.isWriting = false;
      this.pendingBytes = this.lines.reduce((sum, line) => sum + line.length, 0);
      if (isWritten) this.droppedSinceTold -= droppedSinceTold;
      else this.drop(lines.length - (droppedSinceTold > 0 ? 1 : 0));
      this.flush();
    });
  }

  private flushLast(): void {
    if (this.lines.length > 0) this.outlet.writeLast(this.lines.join(''));
    this.lines = [];
  }

  private drop(lines: number): void {
    dropped += lines;
    this.droppedSinceTold += lines;
  }
}

/** Standard error is a file, a terminal, or something that another process reads. */
function createOutlet(): Outlet {
  const stats = fstatSync(STDERR);
  return stats.isFIFO() || stats.isSocket() ? new StreamOutlet(process.stderr) : new FileOutlet(STDERR);
}

/** Node's own stream of standard error: what the kernel does not take waits in it, and is lost when the process ends. */
export class StreamOutlet implements Outlet {
  private isBroken = false;

  constructor(private readonly stream: NodeJS.WritableStream & { readonly writableLength: number }) {
    // The reader is gone.
    stream.on('error', () => (this.isBroken = true));
  }

  get heldBytes(): number {
    return this.stream.writableLength;
  }

  write(text: string, onDone: (isWritten: boolean) => void): void {
    if (this.isBroken) return onDone(false);
    this.stream.write(text);
    onDone(true);
  }

  writeLast(text: string): void {
    if (!this.isBroken) this.stream.write(text);
  }
}

/** A file: writing takes as long as the disk takes, so it is done beside the event loop. */
export class FileOutlet implements Outlet {
  /** The last line was cut: the next begins anew. */
  private isCut = false;
  readonly heldBytes = 0;

  constructor(private readonly descriptor: number) {}

  write(text: string, onDone: (isWritten: boolean) => void): void {
    this.writeRest(Buffer.from(this.isCut ? `\n${text}` : text), onDone);
  }

  writeLast(text: string): void {
    try {
      writeSync(this.descriptor, text);
    } catch {
      // Nobody is left to be told.
    }
  }

  private writeRest(rest: Buffer, onDone: (isWritten: boolean) => void): void {
    write(this.descriptor, rest, (error, written) => {
      if (error !== null) return onDone(false);
      this.isCut = rest[written - 1] !== NEWLINE;
      if (written < rest.length && written > 0) this.writeRest(rest.subarray(written), onDone);
      else onDone(written > 0);
    });
  }
}

const NEWLINE = 0x0a;
