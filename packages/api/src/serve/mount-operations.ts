import { ClusterError, errorTable } from '@python3-cluster/shared';
import type { Application, RequestHandler } from 'express';
import type { NamedOperation } from '../operations/feature';
import { suggestName } from '../requests/words';

/** An operation with the steps its requests pass. */
export interface ServedOperation extends NamedOperation {
  readonly steps: readonly RequestHandler[];
}

/** Mounts operations. A known path with another method answers 405 and names the methods it takes. */
export function mountOperations(app: Application, operations: readonly ServedOperation[]): void {
  for (const { method, path, steps } of operations) app[method](path, ...steps);
  for (const path of new Set(operations.map((operation) => operation.path))) {
    const here = operations.filter((operation) => operation.path === path);
    const methods = here.map((operation) => operation.method.toUpperCase());
    const hasHead = here.some(({ method, effect }) => method === 'get' && effect === 'read');
    app.all(path, refuseMethod(hasHead ? [...methods, 'HEAD'] : methods));
  }
}

/** For whatever no operation took; names the route that was meant, where one is near. */
export function refuseUnknownRoute(operations: readonly ServedOperation[]): RequestHandler {
  const paths = [...new Set(operations.map(({ path }) => path))];
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
