import { ClusterError } from '@python3-cluster/shared';
import type { Application, RequestHandler } from 'express';

export interface Route {
  readonly method: 'get' | 'post' | 'delete';
  readonly path: string;
  readonly handlers: readonly RequestHandler[];
  /** Whether a request for exactly this path may take the short cut past Express (`direct-routes.ts`). */
  readonly isDirect?: boolean;
}

/** Mounts routes. A known path with another method answers 405 and names the methods it takes. */
export function mountRoutes(app: Application, routes: readonly Route[]): void {
  for (const route of routes) app[route.method](route.path, ...route.handlers);
  for (const path of new Set(routes.map((route) => route.path))) {
    const methods = routes.filter((route) => route.path === path).map((route) => route.method.toUpperCase());
    app.all(path, refuseMethod(methods.includes('GET') ? [...methods, 'HEAD'] : methods));
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
