import { ClusterError, INSTANCE_NONCE, LANE_PATTERN, PRODUCT_VERSION, proveInstance, type KeyRing } from '@python3-cluster/shared';
import { defineFeature } from '../operations/feature';
import { ok, type Handle, type Operation } from '../operations/operation';
import type { JsonValue } from '../responses/raw-json';
import { summarizeWorkers } from './cluster-summary';
import { findObstacles, type Obstacle, type ObstacleParts } from './obstacles';

export interface HealthParts extends ObstacleParts {
  readonly keyRing: KeyRing;
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
        200: 'always: `status` (`ok`, `degraded`, `draining`), `reasons` (each with `code` and `message`), `redis`, `breaker` (`closed`, `open`, `half-open`), `workers`, `lanes`, `slots`, `isolationLevel`, `warning`, `version`',
      },
    },
    live: { ...HEALTH, path: '/health/live', answers: { 200: '`{"status": "live"}` while the process answers at all' } },
    ready: {
      ...HEALTH,
      path: '/health/ready',
      answers: {
        200: '`{"status": "ready"}`; with `?lane=…` for this lane alone',
        503: '`{"status": "not ready", "code", "message", "problems"?}`: [Readiness](#readiness)',
      },
    },
    instance: {
      ...HEALTH,
      path: '/health/instance',
      answers: {
        200: '`{"proof"}` for `?nonce=…`: that the replica has the cluster’s signing key; [ADR 0086](decisions/0086-a-replica-proves-which-cluster-it-is.md)',
      },
    },
  },
  create: (parts: HealthParts) => ({
    show: () => ok(toHealth(parts)),
    live: () => ok({ status: 'live' }),
    ready: tellReadiness(parts),
    instance: prove(parts),
  }),
});

function toHealth(parts: HealthParts): JsonValue {
  const { registry, probe, breaker, inFlight } = parts;
  const { workers, lanes, slots, isolationLevel, warning } = summarizeWorkers(registry.liveWorkers());
  const { reachable, writable } = probe.health();
  const obstacles = findObstacles(parts);
  return {
    status: inFlight.draining ? 'draining' : obstacles.length === 0 ? 'ok' : 'degraded',
    reasons: obstacles.map(toView),
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

function tellReadiness(parts: HealthParts): Handle {
  return ({ request }) => {
    const [obstacle] = findObstacles(parts, readLane(request.url));
    return obstacle === undefined ? ok({ status: 'ready' }) : { status: 503, body: { status: 'not ready', ...toView(obstacle) } };
  };
}

function prove({ keyRing }: HealthParts): Handle {
  return ({ request }) => {
    const nonce = parameterIn(request.url, 'nonce');
    if (!INSTANCE_NONCE.test(nonce)) throw new ClusterError('REQUEST_INVALID', "'nonce' must be 22 to 64 letters, digits, - or _.");
    return ok({ proof: proveInstance(keyRing, nonce, request.socket.localPort ?? 0) });
  };
}

const toView = ({ code, message, problems }: Obstacle): { readonly [member: string]: JsonValue | undefined } => ({
  code,
  message,
  problems,
});

/** `?lane=`: whoever sends to one lane need not care for the others. Probes may add to the query what they like. */
function readLane(url: string): string | undefined {
  const lane = parameterIn(url, 'lane');
  return LANE_PATTERN.test(lane) ? lane : undefined;
}

const parameterIn = (url: string, name: string): string => new URLSearchParams(url.split('?')[1] ?? '').get(name) ?? '';
