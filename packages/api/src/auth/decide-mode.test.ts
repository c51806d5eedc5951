import { expect, it } from '@jest/globals';
import type { JobMode, Role } from '@python3-cluster/shared';
import { decideMode } from './decide-mode';

const REFUSED = 'AUTH_ROLE_INSUFFICIENT';

it.each<[JobMode | undefined, boolean, Role, JobMode | typeof REFUSED]>([
  [undefined, false, 'developer', 'restricted'],
  [undefined, false, 'admin', 'restricted'],
  [undefined, true, 'admin', 'admin'],
  [undefined, true, 'developer', REFUSED],
  ['restricted', false, 'developer', 'restricted'],
  ['restricted', true, 'admin', 'restricted'],
  ['restricted', true, 'developer', 'restricted'],
  ['admin', false, 'admin', 'admin'],
  ['admin', true, 'admin', 'admin'],
  ['admin', false, 'developer', REFUSED],
  ['admin', false, 'operator', REFUSED],
  ['admin', false, 'viewer', REFUSED],
])('mode %s, headers asking for ADMIN %s, role %s: %s', (requested, headersAskForAdmin, role, expected) => {
  const decide = (): JobMode => decideMode({ requested, headersAskForAdmin, role });
  if (expected === REFUSED) expect(decide).toThrow(expect.objectContaining({ code: REFUSED }));
  else expect(decide()).toBe(expected);
});
