import { ClusterError, isRoleAtLeast, type Role } from '@python3-cluster/shared';
import type { RequestHandler, Response } from 'express';
import { readRequestState } from '../requests/request-state';
import type { Authenticator } from './authenticator';
import type { Caller } from './caller';

/** Stands before the body is read, so that strangers cannot make us take in megabytes. */
export function requireRole(authenticator: Authenticator, least: Role): RequestHandler {
  return (request, response, next) => {
    const caller = authenticator.authenticate(request);
    readRequestState(response).caller = caller;
    if (!isRoleAtLeast(caller.role, least)) {
      throw new ClusterError('AUTH_ROLE_INSUFFICIENT', `This needs a key with role '${least}'; this one has role '${caller.role}'.`);
    }
    next();
  };
}

/** The caller `requireRole` let through. */
export function callerOf(response: Response): Caller {
  const { caller } = readRequestState(response);
  if (caller === undefined) throw new Error('the route does not authenticate');
  return caller;
}
