import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import type { ErrorRequestHandler, Express, NextFunction, Request, RequestHandler, Response } from 'express';
import type { Route } from './route';

export interface DirectRouteOptions {
  readonly app: Express;
  /** What every request passes before its route's handlers. */
  readonly before: readonly RequestHandler[];
  readonly routes: readonly Route[];
  readonly onError: ErrorRequestHandler;
}

/**
 * A short cut past Express for the routes that take jobs: finding one of forty routes, and giving request and response
 * another prototype (which slows down every later access to them), takes Express twice as long as all of our own handling.
 * A `POST` whose target is exactly the path of a route that says `isDirect` meets the same handlers in the same order;
 * everything else (other methods, queries, other spellings of a path) goes to Express, where the same routes are mounted.
 *
 * Handlers on these routes may use what Node gives them, and `path`, `originalUrl`, `body` and `locals`; nothing else of Express'.
 */
export function createDirectRoutes({ app, before, routes, onError }: DirectRouteOptions): RequestListener {
  const direct = new Map(
    routes
      .filter(({ method, isDirect }) => method === 'post' && isDirect)
      .map(({ path, handlers }) => [path, [...before, ...handlers]] as const),
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
