import { ClusterError } from '@python3-cluster/shared';
import type { IncomingMessage } from 'node:http';
import type { Caller } from '../requests/caller';

/** Turns the credentials of a request into a caller. */
export interface Authenticator {
  /** @throws ClusterError AUTH_REQUIRED, AUTH_KEY_INVALID, AUTH_ORIGIN_REFUSED, REQUEST_MEDIA_TYPE */
  readonly authenticate: (request: IncomingMessage) => Caller;
}

/**
 * One way of proving who one is. Finds the caller, or undefined where the request has no credential of its sort.
 * Throws where it has one that is wrong: a bad credential is never quietly treated as none.
 */
export type CredentialSource = (request: IncomingMessage) => Caller | undefined;

/** Asks the sources in order. An explicit key therefore wins over the cookie a browser adds by itself. */
export function createAuthenticator(sources: readonly CredentialSource[]): Authenticator {
  return {
    authenticate: (request) => {
      for (const source of sources) {
        const caller = source(request);
        if (caller !== undefined) return caller;
      }
      throw new ClusterError('AUTH_REQUIRED');
    },
  };
}
