import { connect, type Socket } from 'node:net';

export interface RawAnswer {
  readonly status: number;
  readonly headers: ReadonlyMap<string, string>;
  readonly text: string;
  // eslint-disable-next-line @typescript-eslint/no-explicit-any -- JSON, as a caller without types reads it
  readonly json: any;
}

/** Bytes on a connection, as no client library would send them, and all that came back. */
export class RawConnection {
  readonly socket: Socket;
  readonly closed: Promise<void>;
  private received: Buffer = Buffer.alloc(0);
  private wake: (() => void) | undefined;

  constructor(port: number) {
    this.socket = connect(port, '127.0.0.1');
    this.socket.on('data', (chunk: Buffer) => {
      this.received = Buffer.concat([this.received, chunk]);
      this.wake?.();
    });
    // A connection that is reset is closed, too.
    this.socket.on('error', () => undefined);
    this.closed = new Promise((resolve) => this.socket.once('close', () => (resolve(), this.wake?.())));
  }

  send(...parts: readonly (string | Buffer)[]): this {
    this.socket.write(Buffer.concat(parts.map((part) => Buffer.from(part as string, 'latin1'))));
    return this;
  }

  /** The next whole answer; fails where the connection ends without one. Not `withBody`: its header alone. */
  async answer(withBody = true): Promise<RawAnswer> {
    for (;;) {
      const taken = takeAnswer(this.received, withBody);
      if (taken !== undefined) {
        this.received = taken.rest;
        return taken.answer;
      }
      if (this.socket.closed) throw new Error(`the connection was closed after ${JSON.stringify(this.received.toString('latin1'))}`);
      await new Promise<void>((resolve) => (this.wake = resolve));
    }
  }

  /** All answers that come before the other side closes. */
  async answers(): Promise<RawAnswer[]> {
    await this.closed;
    const found: RawAnswer[] = [];
    for (let taken = takeAnswer(this.received); taken !== undefined; taken = takeAnswer(taken.rest)) found.push(taken.answer);
    return found;
  }

  destroy(): void {
    this.socket.destroy();
  }
}

/** Sends, and reads one answer. */
export async function exchange(port: number, ...parts: readonly (string | Buffer)[]): Promise<RawAnswer> {
  const connection = new RawConnection(port).send(...parts);
  try {
    return await connection.answer();
  } finally {
    connection.destroy();
  }
}

/** Status and header alone. */
export async function exchangeHead(port: number, ...parts: readonly (string | Buffer)[]): Promise<RawAnswer> {
  const connection = new RawConnection(port).send(...parts);
  try {
    return await connection.answer(false);
  } finally {
    connection.destroy();
  }
}

/** A request's text, with these fields and no others. */
export function rawRequest(line: string, fields: readonly string[] = [], body = ''): string {
  return [`${line} HTTP/1.1`, ...fields, '', body].join('\r\n');
}

function takeAnswer(bytes: Buffer, withBody = true): { readonly answer: RawAnswer; readonly rest: Buffer } | undefined {
  const end = bytes.indexOf('\r\n\r\n');
  if (end < 0) return undefined;
  const [first = '', ...lines] = bytes.toString('latin1', 0, end).split('\r\n');
  const headers = new Map(lines.map((line) => [line.slice(0, line.indexOf(':')).toLowerCase(), line.slice(line.indexOf(':') + 1).trim()]));
  const status = Number(first.split(' ')[1]);
  const length = withBody ? Number(headers.get('content-length') ?? 0) : 0;
  const start = end + 4;
  if (bytes.length < start + length) return undefined;
  const text = bytes.toString('utf8', start, start + length);
  return {
    answer: { status, headers, text, json: text.startsWith('{') ? JSON.parse(text) : undefined },
    rest: bytes.subarray(start + length),
  };
}
