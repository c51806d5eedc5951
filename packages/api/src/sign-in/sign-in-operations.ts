import { ClusterError, type KeyRing, type RedisKeys } from '@python3-cluster/shared';
import type { Request, Response } from 'express';
import type { Redis } from 'ioredis';
import { defineFeature } from '../operations/feature';
import type { Handle } from '../operations/operation';
import { SIGN_IN_LIFETIME_MS } from './create-sign-in-path';
import { isSameOrigin } from '../auth/same-origin';
import { formatSessionCookie, readSessionCookie, SESSION_LIFETIME_MS } from '../auth/session-cookie';
import { openSession, sealSession, type SessionClaim } from '../auth/session-seals';
import { openSessionCookie } from '../auth/session-source';

interface SignInParts {
  readonly keyRing: KeyRing;
  readonly redis: Redis;
  readonly keys: RedisKeys;
}

/** Turns the link `npm start` prints into a browser session, once. */
export const signInFeature = defineFeature({
  name: 'session',
  operations: {
    begin: {
      method: 'get',
      path: '/sign-in',
      access: 'public',
      effect: 'change',
      query: ['token'],
      answers: { 303: 'to `/`; begins a browser session. `HEAD` and prefetches do not use the link up' },
      errors: ['AUTH_SIGN_IN_INVALID', 'REQUEST_PREFETCH', 'QUEUE_UNAVAILABLE'],
    },
    end: {
      method: 'post',
      path: '/sign-out',
      access: 'public',
      effect: 'change',
      query: 'any',
      answers: { 303: 'to `/`; ends the browser session' },
      errors: ['AUTH_ORIGIN_REFUSED'],
    },
  },
  create: (parts: SignInParts) => ({ begin: signIn(parts), end: signOut }),
});

function signIn({ keyRing, redis, keys }: SignInParts): Handle {
  return async ({ request, response, query }) => {
    const token = query.get('token');
    const claim = token !== undefined ? openSession(keyRing, 'sign-in', token) : undefined;
    if (claim === undefined || !(await useUp(redis, keys, claim))) return refuseLink(request, response, keyRing);
    const session = sealSession(keyRing, 'cookie', { role: claim.role, nonce: claim.nonce, expiresAt: Date.now() + SESSION_LIFETIME_MS });
    response.setHeader('Set-Cookie', formatSessionCookie(request, session));
    response.setHeader('Cache-Control', 'no-store');
    response.redirect(303, '/');
  };
}

/** A link used before is harmless to the browser that used it: it reloaded the page, or restored a tab. */
function refuseLink(request: Request, response: Response, keyRing: KeyRing): void {
  const cookie = readSessionCookie(request);
  if (cookie === undefined || openSessionCookie(keyRing, cookie) === undefined) throw new ClusterError('AUTH_SIGN_IN_INVALID');
  response.redirect(303, '/');
}

/** Ends the session of this browser; a foreign page must not do even that. */
const signOut: Handle = ({ request, response }) => {
  if (!isSameOrigin(request)) throw new ClusterError('AUTH_ORIGIN_REFUSED');
  response.setHeader('Set-Cookie', formatSessionCookie(request, ''));
  response.setHeader('Cache-Control', 'no-store');
  response.redirect(303, '/');
};

/** Whether this is the link's first use; remembered for as long as the link could be used. */
async function useUp(redis: Redis, keys: RedisKeys, claim: SessionClaim): Promise<boolean> {
  try {
    return (await redis.set(keys.usedSignIn(claim.nonce), '1', 'PX', SIGN_IN_LIFETIME_MS, 'NX')) === 'OK';
  } catch (error) {
    throw new ClusterError('QUEUE_UNAVAILABLE', 'Redis cannot be reached; try the link again in a moment.', { cause: error });
  }
}
