import type { Response } from 'express';
import { formatComment } from './format-event';

export interface EventStreamOptions {
  readonly heartbeatMs: number;
  /** How long the reader may take nothing of what was written before it is disconnected. */
  readonly stallMs: number;
}

/** How soon a client should come again when the connection ends. */
const RETRY_MS = 2_000;
/** What a reader may take to receive the last words before it is cut off. */
const LAST_WORDS_MS = 1_000;
/** A peer that is gone without a word is noticed by the kernel. */
const TCP_KEEP_ALIVE_MS = 30_000;

/**
 * One open answer of server-sent events. It holds no queue: once the reader has as much outstanding as the response
 * buffers, `canTake` is false until `onReady` is called, and whoever writes must come back with what is then the next.
 */
export class EventStream {
  /** Called when the reader has caught up with what was written. */
  onReady: (() => void) | undefined;
  private readonly response: Response;
  private readonly options: EventStreamOptions;
  private readonly heart: NodeJS.Timeout;
  private isBlocked = false;
  private isMidEvent = false;

  /** Sends status and headers. */
  constructor(response: Response, options: EventStreamOptions) {
    this.response = response;
    this.options = options;
    sendStreamHeaders(response);
    response.flushHeaders();
    response.socket?.setKeepAlive(true, TCP_KEEP_ALIVE_MS);
    response.setTimeout(0, () => response.destroy());
    response.on('drain', () => this.handleDrain());
    response.once('close', () => clearInterval(this.heart));
    this.heart = setInterval(() => this.beat(), options.heartbeatMs);
    this.write(`retry: ${RETRY_MS}\n\n`);
  }

  get canTake(): boolean {
    return !this.isBlocked && this.isOpen;
  }

  /** Whole events; of a long one also parts, `isLast` with its last. Call it while `canTake`. */
  write(bytes: Buffer | string, isLast = true): void {
    if (!this.isOpen) return;
    this.isMidEvent = !isLast;
    if (this.response.write(bytes)) return;
    this.isBlocked = true;
    // Counts only while nothing at all is taken: Node sees a write that makes progress.
    this.response.setTimeout(this.options.stallMs);
  }

  /** Ends the answer, with a comment that says why. A reader that is in the middle of something, or behind, is cut off. */
  end(reason?: string): void {
    if (!this.isOpen) return;
    clearInterval(this.heart);
    if (this.isMidEvent || (reason !== undefined && this.isBlocked)) {
      this.response.destroy();
      return;
    }
    this.response.end(reason === undefined ? undefined : formatComment(reason));
    if (reason === undefined) return;
    const timer = setTimeout(() => this.response.destroy(), LAST_WORDS_MS);
    this.response.once('close', () => clearTimeout(timer));
  }

  private get isOpen(): boolean {
    return !this.response.destroyed && !this.response.writableEnded;
  }

  private handleDrain(): void {
    this.isBlocked = false;
    this.response.setTimeout(0);
    if (this.isOpen) this.onReady?.();
  }

  private beat(): void {
    if (this.canTake && !this.isMidEvent) this.write(formatComment('heartbeat'));
  }
}

export function sendStreamHeaders(response: Response): void {
  response.statusCode = 200;
  response.setHeader('Content-Type', 'text/event-stream; charset=utf-8');
  response.setHeader('Cache-Control', 'no-store, no-transform');
  // nginx would otherwise gather events before it passes them on
  response.setHeader('X-Accel-Buffering', 'no');
}
