import type { Logger } from '@python3-cluster/shared';
import type { RequestHandler } from 'express';
import { readRequestState } from '../requests/request-state';

/** One line per request. Never the query (a sign-in link has its secret there), headers or bodies. */
export function createAccessLog(logger: Logger): RequestHandler {
  return (request, response, next) => {
    const startedAt = performance.now();
    const path = request.path;
    response.once('close', () => {
      const { requestId, jobId, caller, trace } = readRequestState(response);
      logger.info(
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
