import { randomUUID } from 'node:crypto';
import { STATUS_CODES } from 'node:http';
import type { Duplex } from 'node:stream';
import { errorDefinition, type ClusterError } from '../errors/cluster-error';

export interface RefusalOptions {
  /** On every answer. */
  readonly headers: readonly (readonly [name: string, value: string])[];
  readonly render: (error: ClusterError, requestId: string) => { readonly type: string; readonly text: string };
  readonly onRefused?: (error: ClusterError, requestId: string) => void;
}

export type Refusal = (socket: Duplex, error: ClusterError) => void;

/** A sender in the middle of a write gets this long to read why it was refused. */
const LAST_WORDS_MS = 1_000;

/** Answers where there is no request to answer to, and ends the connection. */
export function createRefusal({ headers, render, onRefused }: RefusalOptions): Refusal {
  return (socket, error) => {
    if (!socket.writable) return endSoon(socket);
    const requestId = randomUUID();
    const { type, text } = render(error, requestId);
    const status = errorDefinition(error.code).status ?? 400;
    const lines = [
      `HTTP/1.1 ${status} ${STATUS_CODES[status]}`,
      ...headers.map(([name, value]) => `${name}: ${value}`),
      `Date: ${new Date().toUTCString()}`,
      `X-Request-Id: ${requestId}`,
      `Content-Type: ${type}`,
      `Content-Length: ${Buffer.byteLength(text)}`,
      'Cache-Control: no-store',
      'Connection: close',
    ];
    socket.end(`${lines.join('\r\n')}\r\n\r\n${text}`);
    endSoon(socket);
    onRefused?.(error, requestId);
  };
}

/** Closed at once, with bytes of the sender unread, the connection would be reset and the answer lost. */
export function endSoon(socket: Duplex): void {
  socket.on('error', () => undefined);
  if (socket.writable) socket.end();
  socket.resume();
  const timer = setTimeout(() => socket.destroy(), LAST_WORDS_MS);
  socket.once('close', () => clearTimeout(timer));
}
