import { ClusterError, errorDefinition, isClusterError, type Logger } from '@python3-cluster/shared';
import type { ErrorRequestHandler, Response } from 'express';
import { readRequestState } from '../requests/request-state';
import { sendErrorPage } from './error-page';
import { sendJson } from './send-json';
import { wantsPage } from './wants-page';

/** How an error reads on one of the two surfaces. */
export type ErrorBody = (
  error: ClusterError,
  ids: { readonly requestId: string; readonly traceId: string | undefined },
) => Parameters<typeof sendJson>[2];

/** The modern surface: `{"error": {code, message, requestId, traceId, …details}}`. */
export const modernErrorBody: ErrorBody = (error, { requestId, traceId }) => ({
  error: { code: error.code, message: error.message, requestId, ...(traceId !== undefined && { traceId }), ...error.details },
});

/** Last handler of the application: every error becomes an answer with a code; what nobody expected goes to the log. */
export function createErrorHandler(logger: Logger, bodyFor: (path: string) => ErrorBody): ErrorRequestHandler {
  // Express knows error handlers by their four parameters
  // eslint-disable-next-line @typescript-eslint/no-unused-vars
  return (thrown: unknown, request, response, _next) => {
    const { requestId, trace } = readRequestState(response);
    const error = toClusterError(thrown);
    if (error.code === 'INTERNAL') logger.error({ err: error.cause ?? thrown, requestId, traceId: trace?.traceId }, 'unexpected error');
    if (response.headersSent) {
      response.destroy();
      return;
    }
    // Caches must not give a program the page, nor a person the JSON.
    response.setHeader('Vary', 'Accept');
    if (wantsPage(request)) sendAsPage(response, error);
    else sendError(response, error, bodyFor(request.originalUrl));
  };
}

export function sendError(response: Response, error: ClusterError, body: ErrorBody): void {
  const state = noteError(response, error);
  sendJson(response, statusOf(error), body(error, { requestId: state.requestId, traceId: state.trace?.traceId }));
}

function sendAsPage(response: Response, error: ClusterError): void {
  const { requestId } = noteError(response, error);
  sendErrorPage(response, { error, status: statusOf(error), requestId });
}

function noteError(response: Response, error: ClusterError): ReturnType<typeof readRequestState> {
  if (error.retryAfterSeconds !== undefined) response.setHeader('Retry-After', error.retryAfterSeconds);
  if (error.code === 'AUTH_REQUIRED' || error.code === 'AUTH_KEY_INVALID') response.setHeader('WWW-Authenticate', 'Bearer');
  const state = readRequestState(response);
  state.errorCode = error.code;
  return state;
}

/** Codes without a status of their own are those of rejected jobs: the cluster did not run what it was asked to. */
export const statusOf = (error: ClusterError): number => errorDefinition(error.code).status ?? 503;

function toClusterError(thrown: unknown): ClusterError {
  if (isClusterError(thrown)) return thrown;
  // Express marks what is the request's fault (a path that cannot be decoded) with a 4xx status.
  const status = typeof thrown === 'object' && thrown !== null && 'status' in thrown ? thrown.status : undefined;
  if (typeof status === 'number' && status >= 400 && status < 500) {
    return new ClusterError('REQUEST_INVALID', `The request is not valid: ${(thrown as Error).message}`);
  }
  return new ClusterError('INTERNAL', undefined, { cause: thrown });
}
