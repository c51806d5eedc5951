import { randomBytes } from 'node:crypto';
import type { KeyRing, Role } from '@python3-cluster/shared';
import { sealSession } from '../auth/session-seals';

export const SIGN_IN_LIFETIME_MS = 10 * 60_000;

/** Path of a link that signs one browser in, once, within ten minutes. */
export function createSignInPath(keyRing: KeyRing, role: Role, now = Date.now()): string {
  const claim = { role, nonce: randomBytes(16).toString('base64url'), expiresAt: now + SIGN_IN_LIFETIME_MS };
  return `/sign-in?token=${sealSession(keyRing, 'sign-in', claim)}`;
}
