import { ClusterError, isRoleAtLeast, type Role } from '@python3-cluster/shared';
import type { RequestHandler } from 'express';
import { readRequestState } from '../requests/request-state';
import type { Authenticator } from './authenticator';

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
