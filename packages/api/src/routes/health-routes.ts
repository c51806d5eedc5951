import { PRODUCT_VERSION } from '@python3-cluster/shared';
import { summarizeWorkers } from '../cluster/cluster-summary';
import type { RedisProbe } from '../cluster/redis-health';
import type { WorkerRegistry } from '../cluster/worker-registry';
import type { RedisBreaker } from '../dispatch/redis-breaker';
import type { InFlight } from '../requests/in-flight';
import { sendJson } from '../responses/send-json';
import type { Route } from './route';

export interface HealthRouteOptions {
  readonly registry: WorkerRegistry;
  readonly probe: RedisProbe;
  readonly breaker: RedisBreaker;
  readonly inFlight: InFlight;
}

/** Health needs no key, and is answered from what is known: no call to Redis, none into a slot. */
export function createHealthRoutes({ registry, probe, breaker, inFlight }: HealthRouteOptions): Route[] {
  const isReady = (): boolean => probe.health().writable && breaker.state === 'closed' && !inFlight.draining;
  return [
    {
      method: 'get',
      path: '/health',
      handlers: [
        (_request, response) => {
          const { workers, lanes, slots, isolationLevel, warning } = summarizeWorkers(registry.liveWorkers());
          const { reachable, writable } = probe.health();
          const status = inFlight.draining ? 'draining' : writable && breaker.state === 'closed' && workers > 0 ? 'ok' : 'degraded';
          sendJson(response, 200, {
            status,
            redis: { reachable, writable },
            breaker: breaker.state,
            workers,
            lanes,
            slots,
            isolationLevel,
            warning,
            version: PRODUCT_VERSION,
          });
        },
      ],
    },
    { method: 'get', path: '/health/live', handlers: [(_request, response) => sendJson(response, 200, { status: 'live' })] },
    {
      method: 'get',
      path: '/health/ready',
      handlers: [
        (_request, response) =>
          isReady() ? sendJson(response, 200, { status: 'ready' }) : sendJson(response, 503, { status: 'not ready' }),
      ],
    },
  ];
}
