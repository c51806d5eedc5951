import { parseTraceparent, type Tracing } from '@python3-cluster/shared';
import type { RequestHandler } from 'express';
import { readRequestState } from '../requests/request-state';
import { readTraceparent } from '../traces/traceparent';
import type { DeferredTraces } from '../traces/deferred-traces';
import { RequestTrace } from '../traces/request-trace';

/** Gives each request its trace, and each answer the trace's id. */
export function createRequestTracing(tracing: Tracing | undefined, deferred?: DeferredTraces): RequestHandler {
  return (request, response, next) => {
    const incoming = parseTraceparent(readTraceparent(request.headers['traceparent']));
    const trace = new RequestTrace(isTraced(request.path) ? tracing : undefined, incoming, deferred);
    readRequestState(response).trace = trace;
    response.setHeader('X-Trace-Id', trace.traceId);
    if (tracing !== undefined) {
      response.once('close', () => {
        const { errorCode, jobId } = readRequestState(response);
        const route = (request.route as { path?: string } | undefined)?.path;
        const isAborted = !response.writableFinished;
        trace.end({ method: request.method, route, statusCode: response.statusCode, errorCode, jobId, isAborted });
      });
    }
    next();
  };
}

/** Probes come every few seconds for ever, and an event stream lasts as long as somebody watches. */
const isTraced = (path: string): boolean => !path.startsWith('/health') && path !== '/metrics' && !path.endsWith('/events');
