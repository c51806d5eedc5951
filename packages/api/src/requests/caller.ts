import type { Role } from '@python3-cluster/shared';

/** Who sends a request, as far as the credentials tell. */
export interface Caller {
  /** Names the credential in logs; tells nothing about its secret. */
  readonly keyId: string;
  readonly role: Role;
  /** What the caller's jobs belong to. */
  readonly owner: string;
  /** `key`: a header only its owner can set. The others are ambient: a browser or this machine adds them. */
  readonly via: 'key' | 'session' | 'loopback';
}

export const callerWithKey = (keyId: string, role: Role): Caller => ({ keyId, role, owner: `key:${keyId}`, via: 'key' });
