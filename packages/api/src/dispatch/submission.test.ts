import { describe, expect, it } from '@jest/globals';
import { ROLES } from '@python3-cluster/shared';
import type { JobRequest } from '../requests/job-request';
import { orderOf, type Submission } from './submission';

const request = { kind: 'exec', mode: undefined, lane: 'default' } as unknown as JobRequest;
const submission = (fields: Partial<Submission> = {}): Submission => ({
  submitter: { keyId: 'night-shift', owner: 'group:press', role: 'developer' },
  request,
  waiting: 'none',
  ...fields,
});

describe('a submission', () => {
  it('needs no HTTP request: the job is its submitter’s, in RESTRICTED mode, and has no trace', () => {
    expect(orderOf(submission())).toEqual({
      request, mode: 'restricted', owner: 'group:press', traceparent: null, trace: undefined, waiting: 'none',
    });
  }); // prettier-ignore

  it.each(ROLES)('by a %s gets ADMIN mode only if that is an admin', (role) => {
    const asked = submission({ submitter: { keyId: 'k', owner: 'o', role }, asksForAdmin: true });
    if (role === 'admin') expect(orderOf(asked).mode).toBe('admin');
    else expect(() => orderOf(asked)).toThrow(/ADMIN mode needs a key with role 'admin'/);
  });

  it('that names its mode is not asked otherwise', () => {
    const admin = { keyId: 'k', owner: 'o', role: 'admin' } as const;
    expect(orderOf(submission({ submitter: admin, mode: 'restricted', asksForAdmin: true })).mode).toBe('restricted');
    expect(orderOf(submission({ submitter: admin, request: { ...request, mode: 'admin' } })).mode).toBe('admin');
  });
});
