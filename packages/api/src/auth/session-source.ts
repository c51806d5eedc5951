import { ClusterError, type KeyRing } from '@python3-cluster/shared';
import type { IncomingMessage } from 'node:http';
import { isJsonMediaType } from '../requests/media-type';
import type { CredentialSource } from './authenticator';
import type { Caller } from '../requests/caller';
import { isSameOrigin } from './same-origin';
import { readSessionCookie } from './session-cookie';
import { openSession } from './session-seals';

/**
 * The cookie of a browser that followed a sign-in link. A browser adds it whatever page asks, so that what changes
 * anything must also come from a page of ours (`Origin`) and be JSON, which a foreign form cannot send.
 */
export function createSessionSource(keyRing: KeyRing): CredentialSource {
  return (request) => {
    const cookie = readSessionCookie(request);
    if (cookie === undefined) return undefined;
    const caller = openSessionCookie(keyRing, cookie);
    if (caller === undefined) throw new ClusterError('AUTH_KEY_INVALID', 'This session has expired; sign in again, or send a key.');
    if (!isRead(request)) assertOwnPage(request);
    return caller;
  };
}

/** A session acts as the configured key of its role, and sees that key's jobs. */
export function openSessionCookie(keyRing: KeyRing, cookie: string): Caller | undefined {
  const claim = openSession(keyRing, 'cookie', cookie);
  return claim && { keyId: claim.role, role: claim.role, owner: `key:${claim.role}`, via: 'session' };
}

const isRead = (request: IncomingMessage): boolean => request.method === 'GET' || request.method === 'HEAD';

function assertOwnPage(request: IncomingMessage): void {
  if (!isSameOrigin(request)) throw new ClusterError('AUTH_ORIGIN_REFUSED');
  if (!isJsonMediaType(request.headers['content-type'])) throw new ClusterError('REQUEST_MEDIA_TYPE');
}
