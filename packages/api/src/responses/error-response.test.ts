import { describe, expect, it } from '@jest/globals';
import { ClusterError, errorTable, type ErrorCode } from '@python3-cluster/shared';
import { legacyErrorBody } from '../legacy/legacy-envelope';
import { modernErrorBody, statusOf } from './error-response';

describe('errors', () => {
  it.each(Object.keys(errorTable) as ErrorCode[])('%s has a status and reads the same on both surfaces', (code) => {
    const error = new ClusterError(code, undefined, { details: { jobId: 'x' } });
    expect(statusOf(error)).toBe(errorTable[code].status ?? 503);
    expect(modernErrorBody(error, { requestId: 'r', traceId: 't' })).toEqual({
      error: { code, message: errorTable[code].message, requestId: 'r', traceId: 't', jobId: 'x' },
    });
    expect(legacyErrorBody(error, { requestId: 'r', traceId: 't' })).toEqual({
      success: false,
      error: errorTable[code].message,
      code,
      requestId: 'r',
      traceId: 't',
      jobId: 'x',
    });
  });
});
