import { PRODUCT_VERSION, type ErrorCode, type RedisSuitability, type ReplicaConfirmation } from '@python3-cluster/shared';
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
  readonly suitability: RedisSuitability;
  readonly replicas: ReplicaConfirmation | undefined;
  readonly inFlight: InFlight;
}

/** Health needs no key, and is answered from what is known: no call to Redis, none into a slot. */
export function createHealthRoutes(options: HealthRouteOptions): Route[] {
  const { registry, probe, breaker, inFlight } = options;
  return [
    {
      method: 'get',
      path: '/health',
      handlers: [
        (_request, response) => {
          const { workers, lanes, slots, isolationLevel, warning } = summarizeWorkers(registry.liveWorkers());
          const { reachable, writable } = probe.health();
          const isOk = findObstacle(options) === undefined && workers > 0;
          const status = inFlight.draining ? 'draining' : isOk ? 'ok' : 'degraded';
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
        (_request, response) => {
          const obstacle = findObstacle(options);
          if (obstacle === undefined) sendJson(response, 200, { status: 'ready' });
          else sendJson(response, 503, { status: 'not ready', ...obstacle });
        },
      ],
    },
  ];
}

interface Obstacle {
  /** The code new jobs are refused with. */
  readonly code: ErrorCode;
  readonly problems?: readonly string[];
}

/** Why this replica takes no jobs now. */
function findObstacle({ probe, breaker, suitability, replicas, inFlight }: HealthRouteOptions): Obstacle | undefined {
  if (inFlight.draining) return { code: 'SHUTTING_DOWN' };
  if (suitability.state === 'unsuitable') return { code: 'REDIS_UNSUITABLE', problems: suitability.problems };
  if (!probe.health().writable || breaker.state !== 'closed' || suitability.state !== 'suitable') return { code: 'QUEUE_UNAVAILABLE' };
  return replicas?.isFullyAvailable === false ? { code: 'DURABILITY_UNAVAILABLE' } : undefined;
}
