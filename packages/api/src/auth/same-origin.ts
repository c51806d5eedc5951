import type { IncomingMessage } from 'node:http';
import type { TLSSocket } from 'node:tls';

/** The origin a browser names when a page of ours sends the request. */
export function isSameOrigin(request: IncomingMessage): boolean {
  const { origin, host } = request.headers;
  return (
    origin !== undefined &&
    host !== undefined &&
    origin.toLowerCase() === `${isEncrypted(request) ? 'https' : 'http'}://${host.toLowerCase()}`
  );
}

export const isEncrypted = (request: IncomingMessage): boolean => (request.socket as Partial<TLSSocket>).encrypted === true;
