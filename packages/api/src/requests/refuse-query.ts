import { ClusterError } from '@python3-cluster/shared';
import type { RequestHandler } from 'express';

/** Query parameters are never ignored silently; today's routes take none. */
export const refuseQuery: RequestHandler = (request, _response, next) => {
  const start = request.originalUrl.indexOf('?');
  if (start >= 0) {
    const [name] = new URLSearchParams(request.originalUrl.slice(start + 1)).keys();
    if (name !== undefined) throw new ClusterError('REQUEST_UNKNOWN_FIELD', `There is no query parameter '${name.slice(0, 100)}' here.`);
  }
  next();
};
