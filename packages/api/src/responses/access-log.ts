import type { Logger } from '@python3-cluster/shared';
import type { RequestHandler } from 'express';
import { readRequestState } from '../requests/request-state';

/** What monitors, `top` and browsers read again and again, and what a page is made of. */
const WATCHED = /^\/(?:health(?:\/|$)|metrics$|assets\/|api\/v1\/(?:metrics(?:\/|$)|workers$|running$|alerts$|jobs$))/;

/**
 * A probe that says "not ready" says so every second, and what it is about has a line of its own. Reads of figures are of
 * interest where they are refused; what runs or changes something always is.
 */
function levelOf(method: string, path: string, status: number): 'info' | 'debug' {
  if (method !== 'GET' && method !== 'HEAD') return 'info';
  return WATCHED.test(path) && (status < 400 || path.startsWith('/health')) ? 'debug' : 'info';
}

/** One line per request. Never the query (a sign-in link has its secret there), headers or bodies. */
export function createAccessLog(logger: Logger): RequestHandler {
  return (request, response, next) => {
    const startedAt = performance.now();
    const path = request.path;
    response.once('close', () => {
      const { requestId, jobId, caller, trace } = readRequestState(response);
      logger[levelOf(request.method, path, response.statusCode)](
        {
          method: request.method,
          path,
          status: response.statusCode,
          ms: Math.round((performance.now() - startedAt) * 10) / 10,
          requestId,
          jobId,
          traceId: trace?.traceId,
          keyId: caller?.keyId,
          ...(response.writableFinished ? {} : { aborted: true }),
        },
        'request',
      );
    });
    next();
  };
}
