import { randomUUID } from 'node:crypto';
import type { RequestHandler } from 'express';
import { readRequestState } from './request-state';

/** Gives each request an id, the caller's own where it is harmless in logs and headers. */
export const assignRequestId: RequestHandler = (request, response, next) => {
  const offered = request.headers['x-request-id'];
  const requestId = typeof offered === 'string' && /^[A-Za-z0-9._-]{1,64}$/.test(offered) ? offered : randomUUID();
  readRequestState(response).requestId = requestId;
  response.setHeader('X-Request-Id', requestId);
  next();
};
