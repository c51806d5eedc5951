import type {
  Config, KeyRing, Logger, ProcessMetrics, QuarantineList, RedisKeys, RedisSuitability, ReplicaConfirmation, Tracing,
} from '@python3-cluster/shared'; // prettier-ignore
import type { RequestListener } from 'node:http';
import express from 'express';
import type { Redis } from 'ioredis';
import type { AlertStore } from './alerts/alert-store';
import type { Authenticator } from './auth/authenticator';
import type { RedisProbe } from './cluster/redis-health';
import type { WorkerRegistry } from './cluster/worker-registry';
import type { Dispatcher } from './dispatch/dispatcher';
import type { JobList } from './dispatch/job-list';
import type { IdempotencyRecords } from './dispatch/idempotency-records';
import type { OutcomeStore } from './dispatch/outcome-store';
import type { RedisBreaker } from './dispatch/redis-breaker';
import type { JobWatches } from './events/job-watches';
import { createLegacyAlertRoutes } from './legacy/alert-routes';
import { createLegacyJobRoutes } from './legacy/job-routes';
import { isLegacyPath, legacyErrorBody } from './legacy/legacy-envelope';
import { createLegacyMetricsRoutes } from './legacy/metrics-routes';
import { createLegacyStatusRoutes } from './legacy/status-routes';
import type { ClusterMetrics } from './metrics/cluster-metrics';
import { measureRequests } from './metrics/measure-requests';
import type { DeferredTraces } from './traces/deferred-traces';
import { createRequestTracing } from './traces/trace-requests';
import { assignRequestId } from './requests/assign-request-id';
import type { BodyBudget } from './requests/body-budget';
import type { InFlight } from './requests/in-flight';
import { createUnsoundRefusal } from './requests/refuse-unsound';
import { createAccessLog } from './responses/access-log';
import { createErrorHandler, modernErrorBody } from './responses/error-response';
import { setSecurityHeaders } from './responses/security-headers';
import { createAlertRoutes } from './routes/alert-routes';
import { createDirectRoutes } from './routes/direct-routes';
import { createEventRoutes } from './routes/event-routes';
import { createHealthRoutes } from './routes/health-routes';
import { createHomeRoutes } from './routes/home-routes';
import { createJobRoutes } from './routes/job-routes';
import { createMetricsRoutes } from './routes/metrics-routes';
import { createPrometheusRoutes } from './routes/prometheus-routes';
import { mountRoutes, refuseUnknownRoute } from './routes/route';
import { createQuarantineRoutes } from './routes/quarantine-routes';
import { createSignInRoutes } from './routes/sign-in-routes';
import { createWorkerRoutes } from './routes/worker-routes';

export interface ApplicationParts {
  readonly config: Config;
  readonly logger: Logger;
  readonly keyRing: KeyRing;
  readonly keys: RedisKeys;
  readonly redis: Redis;
  readonly authenticator: Authenticator;
  readonly dispatcher: Dispatcher;
  readonly store: OutcomeStore;
  readonly list: JobList;
  readonly watches: JobWatches;
  readonly registry: WorkerRegistry;
  readonly probe: RedisProbe;
  readonly breaker: RedisBreaker;
  readonly suitability: RedisSuitability;
  readonly replicas: ReplicaConfirmation | undefined;
  readonly idempotency: IdempotencyRecords;
  readonly quarantine: QuarantineList;
  readonly alerts: AlertStore;
  readonly inFlight: InFlight;
  readonly bodies: BodyBudget;
  readonly waitsEnd: AbortSignal;
  readonly tracing: Tracing | undefined;
  readonly deferredTraces: DeferredTraces | undefined;
  readonly metrics: ProcessMetrics;
  readonly clusterMetrics: ClusterMetrics;
}

/** The Express application: what every request passes, the routes, and what takes the rest; and the short cut to some routes. */
export function createApplication(parts: ApplicationParts): RequestListener {
  const app = express();
  app.disable('x-powered-by');
  app.disable('etag');
  app.set('query parser', 'simple');
  const routes = [
    ...createHomeRoutes(parts),
    ...createSignInRoutes(parts),
    ...createJobRoutes(parts),
    ...createEventRoutes(parts),
    ...createWorkerRoutes(parts),
    ...createMetricsRoutes(parts),
    ...createQuarantineRoutes(parts),
    ...createAlertRoutes(parts),
    ...createLegacyJobRoutes(parts),
    ...createLegacyStatusRoutes(parts),
    ...createLegacyMetricsRoutes(parts),
    ...createLegacyAlertRoutes(parts),
  ];
  const measure = measureRequests(parts.metrics, new Set(routes.filter(({ isDirect }) => isDirect).map(({ path }) => path)));
  const first = [
    assignRequestId,
    setSecurityHeaders,
    createRequestTracing(parts.tracing, parts.deferredTraces),
    createAccessLog(parts.logger),
    measure,
    createUnsoundRefusal(),
  ];
  app.use(...first);
  // health and metrics answer also while draining
  const always = [...createHealthRoutes(parts), ...createPrometheusRoutes(parts)];
  mountRoutes(app, always);
  app.use(parts.inFlight.handler);
  mountRoutes(app, routes);
  app.use(refuseUnknownRoute([...always, ...routes]));
  const onError = createErrorHandler(parts.logger, (path) => (isLegacyPath(path) ? legacyErrorBody : modernErrorBody));
  app.use(onError);
  return createDirectRoutes({ app, before: [...first, parts.inFlight.handler], routes, onError });
}
