/**
 * Frames between a worker node and its Python processes; `docs/wire-protocol.md` §1.
 *
 *   headerBytes:u32be  bodyBytes:u32be  header (UTF-8 JSON object with "type")  body (raw)
 */

export const MAX_HEADER_BYTES = 65_536;
const PREFIX_BYTES = 8;

export interface Frame {
  readonly header: FrameHeader;
  readonly body: Buffer;
}

export interface FrameHeader {
  readonly type: string;
  readonly [member: string]: unknown;
}

/** The stream is not what the protocol says. There is no resynchronising: drop the connection and what is behind it. */
export class FrameError extends Error {
  override readonly name = 'FrameError';
  readonly code = 'FRAME_INVALID';
}

/** One buffer, so that a frame costs one write. */
export function encodeFrame(header: object, body?: Uint8Array): Buffer {
  const headerText = JSON.stringify(header);
  const headerBytes = Buffer.byteLength(headerText);
  if (headerBytes > MAX_HEADER_BYTES) throw new FrameError(`header of ${headerBytes} bytes is too large`);
  const bodyBytes = body?.length ?? 0;
  const frame = Buffer.allocUnsafe(PREFIX_BYTES + headerBytes + bodyBytes);
  frame.writeUInt32BE(headerBytes, 0);
  frame.writeUInt32BE(bodyBytes, 4);
  frame.write(headerText, PREFIX_BYTES, 'utf8');
  if (body) frame.set(body, PREFIX_BYTES + headerBytes);
  return frame;
}

/** Cuts a byte stream into frames. Holds at most one frame, whose size is bounded before a byte of it is kept. */
export class FrameReader {
  private readonly chunks: Buffer[] = [];
  private bufferedBytes = 0;
  private readonly maxBodyBytes: number;

  constructor(maxBodyBytes: number) {
    this.maxBodyBytes = maxBodyBytes;
  }

  /** Whether bytes of an unfinished frame are held. */
  get isMidFrame(): boolean {
    return this.bufferedBytes > 0;
  }

  /** @throws FrameError */
  *push(chunk: Buffer): Generator<Frame> {
    this.chunks.push(chunk);
    this.bufferedBytes += chunk.length;
    for (;;) {
      const frame = this.takeFrame();
      if (frame === undefined) return;
      yield frame;
    }
  }

  private takeFrame(): Frame | undefined {
    if (this.bufferedBytes < PREFIX_BYTES) return undefined;
    const prefix = this.joined(PREFIX_BYTES);
    const headerBytes = prefix.readUInt32BE(0);
    const bodyBytes = prefix.readUInt32BE(4);
    if (headerBytes > MAX_HEADER_BYTES) throw new FrameError(`header of ${headerBytes} bytes is too large`);
    if (bodyBytes > this.maxBodyBytes) throw new FrameError(`body of ${bodyBytes} bytes is too large`);
    const frameBytes = PREFIX_BYTES + headerBytes + bodyBytes;
    if (this.bufferedBytes < frameBytes) return undefined;
    const frame = this.joined(frameBytes);
    const header = parseHeader(frame.subarray(PREFIX_BYTES, PREFIX_BYTES + headerBytes));
    const body = frame.subarray(PREFIX_BYTES + headerBytes, frameBytes);
    this.discard(frameBytes);
    return { header, body };
  }

  /** The first bytes in one buffer; joins chunks only when it must, so that big bodies are copied once. */
  private joined(byteCount: number): Buffer {
    const first = this.chunks[0];
    if (first === undefined || first.length < byteCount) {
      const all = Buffer.concat(this.chunks, this.bufferedBytes);
      this.chunks.splice(0, this.chunks.length, all);
      return all.subarray(0, byteCount);
    }
    return first.subarray(0, byteCount);
  }

  private discard(byteCount: number): void {
    const first = this.chunks.shift();
    if (first && first.length > byteCount) this.chunks.unshift(first.subarray(byteCount));
    this.bufferedBytes -= byteCount;
  }
}

const strictUtf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

function parseHeader(bytes: Buffer): FrameHeader {
  let header: unknown;
  try {
    header = JSON.parse(strictUtf8.decode(bytes));
  } catch {
    throw new FrameError('header is not JSON');
  }
  if (typeof header !== 'object' || header === null || Array.isArray(header) || !('type' in header) || typeof header.type !== 'string') {
    throw new FrameError('header is not an object with a type');
  }
  return header as FrameHeader;
}
