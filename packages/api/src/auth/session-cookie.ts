import type { IncomingMessage } from 'node:http';
import { isEncrypted } from './same-origin';

const COOKIE_NAME = 'python3_session';
export const SESSION_LIFETIME_MS = 12 * 3_600_000;

export function readSessionCookie(request: IncomingMessage): string | undefined {
  for (const pair of (request.headers.cookie ?? '').split(';')) {
    const [name, ...value] = pair.split('=');
    if (name?.trim() === COOKIE_NAME) return value.join('=').trim();
  }
  return undefined;
}

/** Value of `Set-Cookie`; the empty session ends it. */
export function formatSessionCookie(request: IncomingMessage, session: string): string {
  const maxAgeSeconds = session === '' ? 0 : SESSION_LIFETIME_MS / 1_000;
  return `${COOKIE_NAME}=${session}; Path=/; HttpOnly; SameSite=Strict; Max-Age=${maxAgeSeconds}${isEncrypted(request) ? '; Secure' : ''}`;
}
