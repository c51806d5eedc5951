import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import type { ErrorRequestHandler, Express, NextFunction, Request, RequestHandler, Response } from 'express';
import type { ServedOperation } from './mount-operations';

export interface ShortCutOptions {
  readonly app: Express;
  /** What every request passes before its operation's steps. */
  readonly before: readonly RequestHandler[];
  readonly operations: readonly ServedOperation[];
  readonly onError: ErrorRequestHandler;
}

/**
 * A short cut past Express for the operations that take jobs. Express takes twice as long to find one of forty routes, and to
 * give request and response another prototype, as all of our own handling takes.
 * A `POST` whose target is exactly the path of an operation that says `isDirect` passes the same steps in the same order.
 * Everything else (other methods, queries, other spellings of a path) goes to Express, where the same steps are mounted.
 *
 * Handlers of these operations may use what Node gives them, and `path`, `originalUrl`, `body` and `locals`; nothing else of Express'.
 */
export function createShortCut({ app, before, operations, onError }: ShortCutOptions): RequestListener {
  const direct = new Map(
    operations
      .filter(({ method, isDirect }) => method === 'post' && isDirect)
      .map(({ path, steps }) => [path, [...before, ...steps]] as const),
  );
  return (request, response) => {
    const handlers = request.method === 'POST' ? direct.get(request.url ?? '') : undefined;
    if (handlers === undefined) app(request, response);
    else handle(handlers, onError, asExpress(request, response));
  };
}

interface Exchange {
  readonly request: Request;
  readonly response: Response;
}

function asExpress(incoming: IncomingMessage, outgoing: ServerResponse): Exchange {
  const request = incoming as Request;
  const response = outgoing as Response;
  request.originalUrl = request.url;
  Object.defineProperty(request, 'path', { value: request.url });
  request.route = { path: request.url };
  response.locals = {};
  return { request, response };
}

/** As Express 5 does it: whatever a handler throws, passes to `next` or rejects with is the error handler's. */
function handle(handlers: readonly RequestHandler[], onError: ErrorRequestHandler, { request, response }: Exchange): void {
  let position = 0;
  const next = (error?: unknown): void => {
    const handler = handlers[position++];
    if (error !== undefined) return void onError(error, request, response, ignore);
    try {
      const result: unknown = handler?.(request, response, next as NextFunction);
      if (result instanceof Promise) result.catch(next);
    } catch (thrown) {
      next(thrown);
    }
  };
  next();
}

const ignore = (): void => undefined;
