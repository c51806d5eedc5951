import { PRODUCT_VERSION, type ErrorCode, type RedisSuitability, type ReplicaConfirmation } from '@python3-cluster/shared';
import type { InFlight } from '../requests/in-flight';
import type { RedisBreaker } from '../redis/redis-breaker';
import type { RedisProbe } from './redis-health';
import type { WorkerRegistry } from './worker-registry';
import { defineFeature } from '../operations/feature';
import { ok, type Handle, type Operation } from '../operations/operation';
import type { JsonValue } from '../responses/raw-json';
import { summarizeWorkers } from './cluster-summary';

interface HealthParts {
  readonly registry: WorkerRegistry;
  readonly probe: RedisProbe;
  readonly breaker: RedisBreaker;
  readonly suitability: RedisSuitability;
  readonly replicas: ReplicaConfirmation | undefined;
  readonly inFlight: InFlight;
}

const HEALTH = { method: 'get', access: 'public', effect: 'read', query: 'any', whileDraining: true } as const satisfies Partial<Operation>;

/** Health needs no key, and is answered from what is known: no call to Redis, none into a slot. */
export const healthFeature = defineFeature({
  name: 'health',
  operations: {
    show: {
      ...HEALTH,
      path: '/health',
      answers: {
        200: 'always: `status` (`ok`, `degraded`, `draining`), `redis`, `breaker` (`closed`, `open`, `half-open`), `workers`, `lanes`, `slots`, `isolationLevel`, `warning`, `version`',
      },
    },
    live: { ...HEALTH, path: '/health/live', answers: { 200: '`{"status": "live"}` while the process answers at all' } },
    ready: {
      ...HEALTH,
      path: '/health/ready',
      answers: {
        200: '`{"status": "ready"}`',
        503: '`{"status": "not ready", "code", "problems"?}`: [Readiness](#readiness)',
      },
    },
  },
  create: (parts: HealthParts) => ({ show: () => ok(toHealth(parts)), live: () => ok({ status: 'live' }), ready: tellReadiness(parts) }),
});

function toHealth(core: HealthParts): JsonValue {
  const { registry, probe, breaker, inFlight } = core;
  const { workers, lanes, slots, isolationLevel, warning } = summarizeWorkers(registry.liveWorkers());
  const { reachable, writable } = probe.health();
  const isOk = findObstacle(core) === undefined && workers > 0;
  return {
    status: inFlight.draining ? 'draining' : isOk ? 'ok' : 'degraded',
    redis: { reachable, writable },
    breaker: breaker.state,
    workers,
    lanes,
    slots,
    isolationLevel,
    warning,
    version: PRODUCT_VERSION,
  };
}

function tellReadiness(core: HealthParts): Handle {
  return () => {
    const obstacle = findObstacle(core);
    return obstacle === undefined ? ok({ status: 'ready' }) : { status: 503, body: { status: 'not ready', ...obstacle } };
  };
}

interface Obstacle {
  /** The code new jobs are refused with. */
  readonly code: ErrorCode;
  readonly problems?: readonly string[];
}

/** Why this replica takes no jobs now. */
function findObstacle({ probe, breaker, suitability, replicas, inFlight }: HealthParts): Obstacle | undefined {
  if (inFlight.draining) return { code: 'SHUTTING_DOWN' };
  if (suitability.state === 'unsuitable') return { code: 'REDIS_UNSUITABLE', problems: suitability.problems };
  if (!probe.health().writable || breaker.state !== 'closed' || suitability.state !== 'suitable') return { code: 'QUEUE_UNAVAILABLE' };
  return replicas?.isFullyAvailable === false ? { code: 'DURABILITY_UNAVAILABLE' } : undefined;
}
