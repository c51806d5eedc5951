import { openSeal, ROLES, seal, type KeyRing, type Role, type SealContext } from '@python3-cluster/shared';

/** What a sign-in link or a session cookie says. */
export interface SessionClaim {
  readonly role: Role;
  readonly nonce: string;
  /** Epoch milliseconds. */
  readonly expiresAt: number;
}

/** The subject keeps a link from being used as a cookie, and the other way round. */
export type SessionSubject = 'sign-in' | 'cookie';

export const sealSession = (keyRing: KeyRing, subject: SessionSubject, claim: SessionClaim): string =>
  seal(keyRing, contextOf(subject), Buffer.from(JSON.stringify(claim))).toString('base64url');

/** The claim, if this cluster sealed it for that use and it has not expired. */
export function openSession(keyRing: KeyRing, subject: SessionSubject, sealed: string, now = Date.now()): SessionClaim | undefined {
  const content = openSeal(keyRing, contextOf(subject), Buffer.from(sealed, 'base64url'));
  if (content === undefined) return undefined;
  const claim = JSON.parse(content.toString('utf8')) as SessionClaim;
  return ROLES.includes(claim.role) && claim.expiresAt > now ? claim : undefined;
}

const contextOf = (subject: SessionSubject): SealContext => ({ purpose: 'session', scope: 'browser', subject });
