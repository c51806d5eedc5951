import { hash, timingSafeEqual } from 'node:crypto';
import type { RequestHandler } from 'express';
import type { Authenticator } from './authenticator';
import { requireRole } from './require-role';

/** A key of any role, or the token that is good for nothing else: Prometheus needs no key that runs code. */
export function requireMetricsKey(authenticator: Authenticator, token: string): RequestHandler {
  const requireViewer = requireRole(authenticator, 'viewer');
  return (request, response, next) => {
    if (isMetricsToken(request.headers.authorization, token)) next();
    else void requireViewer(request, response, next);
  };
}

/** Digests have one length, which the constant-time comparison needs. */
function isMetricsToken(header: string | undefined, token: string): boolean {
  const presented = /^Bearer +(\S+) *$/i.exec(header ?? '')?.[1];
  if (token === '' || presented === undefined) return false;
  return timingSafeEqual(hash('sha256', presented, 'buffer'), hash('sha256', token, 'buffer'));
}
