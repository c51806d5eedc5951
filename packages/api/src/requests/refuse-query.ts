import type { RequestHandler } from 'express';
import { readQuery } from './query-parameters';

/** For routes that take no query parameters of their own: none is ever ignored silently. */
export const refuseQuery: RequestHandler = (request, _response, next) => {
  readQuery(request.originalUrl, []);
  next();
};
