import { ClusterError, errorTable } from '@python3-cluster/shared';
import type { Application, RequestHandler } from 'express';
import { suggestName } from '../requests/words';
import { refuseUnasked } from '../requests/refuse-unasked';

export interface Route {
  readonly method: 'get' | 'post' | 'delete';
  readonly path: string;
  readonly handlers: readonly RequestHandler[];
  /** Whether a request for exactly this path may take the short cut past Express (`direct-routes.ts`). */
  readonly isDirect?: boolean;
  /** Of a GET that changes something, or runs something: it is not done for HEAD, nor beforehand (`refuse-unasked.ts`). */
  readonly hasEffect?: boolean;
}

/** Mounts routes. A known path with another method answers 405 and names the methods it takes. */
export function mountRoutes(app: Application, routes: readonly Route[]): void {
  for (const { method, path, handlers, hasEffect } of routes) app[method](path, ...(hasEffect ? [refuseUnasked] : []), ...handlers);
  for (const path of new Set(routes.map((route) => route.path))) {
    const here = routes.filter((route) => route.path === path);
    const methods = here.map((route) => route.method.toUpperCase());
    const hasHead = here.some(({ method, hasEffect }) => method === 'get' && !hasEffect);
    app.all(path, refuseMethod(hasHead ? [...methods, 'HEAD'] : methods));
  }
}

/** For whatever no route took; names the route that was meant, where one is near. */
export function refuseUnknownRoute(routes: readonly Route[]): RequestHandler {
  const paths = [...new Set(routes.map(({ path }) => path))];
  return (request) => {
    const asked = request.path.split('/');
    const alike = paths.filter((path) => path.split('/').length === asked.length).map((path) => fillIn(path, asked));
    throw new ClusterError('ROUTE_NOT_FOUND', `${errorTable.ROUTE_NOT_FOUND.message}${suggestName(request.path, alike)}`);
  };
}

/** The path with what was asked for in place of its parameters. */
const fillIn = (path: string, asked: readonly string[]): string =>
  path
    .split('/')
    .map((part, index) => (part.startsWith(':') ? (asked[index] ?? part) : part))
    .join('/');

const refuseMethod =
  (allowed: readonly string[]): RequestHandler =>
  (_request, response) => {
    response.setHeader('Allow', allowed.join(', '));
    throw new ClusterError('METHOD_NOT_ALLOWED');
  };
