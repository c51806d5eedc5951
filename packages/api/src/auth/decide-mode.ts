import { ClusterError, isRoleAtLeast, type JobMode, type Role } from '@python3-cluster/shared';

export interface ModeQuestion {
  /** Mode the body names, if it does. */
  readonly requested: JobMode | undefined;
  /** Whether the predecessor's headers ask for ADMIN mode. */
  readonly headersAskForAdmin: boolean;
  readonly role: Role;
}

/** What the code may do: what the body says, else the headers, else `restricted`. @throws AUTH_ROLE_INSUFFICIENT */
export function decideMode({ requested, headersAskForAdmin, role }: ModeQuestion): JobMode {
  const mode = requested ?? (headersAskForAdmin ? 'admin' : 'restricted');
  if (mode === 'admin' && !isRoleAtLeast(role, 'admin')) {
    throw new ClusterError('AUTH_ROLE_INSUFFICIENT', `ADMIN mode needs a key with role 'admin'; this one has role '${role}'.`);
  }
  return mode;
}
