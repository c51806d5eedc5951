import type { ErrorBody } from '../responses/error-response';

/** Where the predecessor's clients look. */
export const LEGACY_BASE = '/data/python3integration/api/v1';

export const isLegacyPath = (path: string): boolean => path.toLowerCase().startsWith(LEGACY_BASE);

/** What the request or the cluster did wrong, in the predecessor's envelope. */
export const legacyErrorBody: ErrorBody = (error, { requestId, traceId }) => ({
  success: false,
  error: error.message,
  code: error.code,
  requestId,
  ...(traceId !== undefined && { traceId }),
  ...error.details,
});
