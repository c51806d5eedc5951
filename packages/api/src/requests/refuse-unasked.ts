import { ClusterError } from '@python3-cluster/shared';
import type { RequestHandler } from 'express';

/**
 * Stands before what a GET does, where it does something: only whoever follows the link may have done it. Browsers, mail
 * scanners and chat programs look at links beforehand, by HEAD or with a header that says so, and must leave no trace.
 */
export const refuseUnasked: RequestHandler = (request, response, next) => {
  if (request.method === 'HEAD') {
    response.setHeader('Allow', 'GET');
    throw new ClusterError('METHOD_NOT_ALLOWED');
  }
  if (PREFETCH_FIELDS.some((name) => /prefetch|prerender|preview/i.test(String(request.headers[name] ?? ''))))
    throw new ClusterError('REQUEST_PREFETCH');
  next();
};

/** The standard's, and what browsers sent before there was one. */
const PREFETCH_FIELDS = ['sec-purpose', 'purpose', 'x-purpose', 'x-moz'] as const;
