import { ClusterError } from '@python3-cluster/shared';
import type { Application, RequestHandler } from 'express';
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

/** For whatever no route took. */
export const refuseUnknownRoute: RequestHandler = () => {
  throw new ClusterError('ROUTE_NOT_FOUND');
};

const refuseMethod =
  (allowed: readonly string[]): RequestHandler =>
  (_request, response) => {
    response.setHeader('Allow', allowed.join(', '));
    throw new ClusterError('METHOD_NOT_ALLOWED');
  };
