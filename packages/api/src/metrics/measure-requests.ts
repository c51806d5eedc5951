import type { ProcessMetrics } from '@python3-cluster/shared';
import type { Request, RequestHandler } from 'express';

/** Others count together: the label must not grow with what clients invent. */
const METHODS: readonly string[] = ['GET', 'POST', 'DELETE', 'HEAD', 'PUT', 'PATCH', 'OPTIONS'];

/** Measures every request, by its route as it is defined; one that matches none has no route. */
export function measureRequests(metrics: ProcessMetrics, directPaths: ReadonlySet<string>): RequestHandler {
  return (request, response, next) => {
    const startedAt = performance.now();
    const { path } = request;
    response.once('close', () => {
      const route = routeOf(request) ?? (directPaths.has(path) ? path : undefined);
      metrics.record('httpDuration', (performance.now() - startedAt) / 1_000, {
        'http.request.method': METHODS.includes(request.method) ? request.method : '_OTHER',
        'http.response.status_code': response.statusCode,
        ...(route !== undefined && { 'http.route': route }),
      });
    });
    next();
  };
}

const routeOf = ({ route }: Request): string | undefined => {
  const path = (route as { readonly path?: unknown } | undefined)?.path;
  return typeof path === 'string' ? path : undefined;
};
