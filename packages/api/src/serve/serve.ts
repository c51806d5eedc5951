import type { RequestListener } from 'node:http';
import express from 'express';
import { isLegacyPath, legacyErrorBody } from '../legacy/legacy-envelope';
import { measureRequests } from '../metrics/measure-requests';
import { assignRequestId } from '../requests/assign-request-id';
import { createUnsoundRefusal } from '../requests/refuse-unsound';
import { createAccessLog } from '../responses/access-log';
import { createErrorHandler, modernErrorBody } from '../responses/error-response';
import { setSecurityHeaders } from '../responses/security-headers';
import { createRequestTracing } from './trace-requests';
import type { Core } from './core';
import { listOperations, type Feature } from '../operations/feature';
import { mountOperations, refuseUnknownRoute, type ServedOperation } from './mount-operations';
import { createShortCut } from './short-cut';
import { createSteps } from './steps';

/** The Express application: what every request passes, the operations of the features, and what takes the rest. */
export function serve(core: Core, features: readonly Feature<Core>[]): RequestListener {
  const app = express();
  app.disable('x-powered-by');
  app.disable('etag');
  app.set('query parser', 'simple');
  const operations = features.flatMap((feature) => serveFeature(core, feature));
  const first = [
    assignRequestId,
    setSecurityHeaders,
    createRequestTracing(core.tracing, core.deferredTraces),
    createAccessLog(core.logger),
    measureRequests(core.metrics, new Set(operations.filter(({ isDirect }) => isDirect).map(({ path }) => path))),
    createUnsoundRefusal(),
  ];
  app.use(...first);
  const [always, whileUp] = partition(operations, ({ whileDraining }) => whileDraining === true);
  mountOperations(app, always);
  app.use(core.inFlight.handler);
  mountOperations(app, whileUp);
  app.use(refuseUnknownRoute(operations));
  const onError = createErrorHandler(core.logger, (path) => (isLegacyPath(path) ? legacyErrorBody : modernErrorBody));
  app.use(onError);
  return createShortCut({ app, before: [...first, core.inFlight.handler], operations: whileUp, onError });
}

function serveFeature(core: Core, feature: Feature<Core>): ServedOperation[] {
  const handles = feature.create(core);
  return listOperations([feature]).map((operation) => {
    const handle = handles[operation.id.slice(feature.name.length + 1)];
    if (handle === undefined) throw new Error(`The operation ${operation.id} has no handler.`);
    return { ...operation, steps: createSteps(operation, handle, core) };
  });
}

function partition<T>(all: readonly T[], isFirst: (one: T) => boolean): readonly [T[], T[]] {
  return [all.filter(isFirst), all.filter((one) => !isFirst(one))];
}
