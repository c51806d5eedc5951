import { isIPv4 } from 'node:net';
import type { IncomingMessage } from 'node:http';
import { isJsonMediaType } from '../requests/media-type';
import type { CredentialSource } from './authenticator';
import type { Caller } from '../requests/caller';
import { isSameOrigin } from './same-origin';

const LOOPBACK_CALLER: Caller = { keyId: 'loopback', role: 'developer', owner: 'loopback', via: 'loopback' };

/**
 * `PYTHON3_AUTH=loopback-open`: a request without a key counts as a developer's, if it comes from this machine and from
 * nobody else through it. What each condition keeps out:
 *
 *   socket peer is loopback       other machines
 *   no (X-)Forwarded headers      other machines, behind a proxy on this one
 *   Host is loopback, our port    web pages by DNS rebinding
 *   no foreign Origin, and
 *   Sec-Fetch-Site same-origin    web pages that post to us
 *   the body is JSON              web pages of old browsers that send neither: a form cannot post JSON
 */
export function createLoopbackSource(): CredentialSource {
  return (request) => (isFromThisMachine(request) && isFromNoWebPage(request) && hasNoForeignBody(request) ? LOOPBACK_CALLER : undefined);
}

function isFromThisMachine(request: IncomingMessage): boolean {
  const isForwarded = Object.keys(request.headers).some((name) => name === 'forwarded' || name.startsWith('x-forwarded-'));
  return isLoopbackAddress(request.socket.remoteAddress ?? '') && !isForwarded && isOwnLoopbackHost(request);
}

function isFromNoWebPage(request: IncomingMessage): boolean {
  const site = request.headers['sec-fetch-site'];
  return (request.headers.origin === undefined || isSameOrigin(request)) && (site === undefined || site === 'same-origin');
}

function hasNoForeignBody(request: IncomingMessage): boolean {
  const hasBody = request.headers['transfer-encoding'] !== undefined || (request.headers['content-length'] ?? '0') !== '0';
  return !hasBody || isJsonMediaType(request.headers['content-type']);
}

function isLoopbackAddress(address: string): boolean {
  const plain = address.replace(/^::ffff:/i, '');
  return plain === '::1' || (isIPv4(plain) && plain.startsWith('127.'));
}

/** The port is the one this very connection reached, whatever was configured. */
function isOwnLoopbackHost(request: IncomingMessage): boolean {
  const match = /^(\[[0-9a-f:.]+\]|[^:]+)(?::(\d+))?$/i.exec(request.headers.host ?? '');
  if (match === null) return false;
  const [, name = '', port = '80'] = match;
  return (
    Number(port) === request.socket.localPort && (name.toLowerCase() === 'localhost' || isLoopbackAddress(name.replace(/^\[|\]$/g, '')))
  );
}
