import { ClusterError, INSTANCE_NONCE, LANE_PATTERN, PRODUCT_VERSION, proveInstance, type KeyRing } from '@python3-cluster/shared';
import { summarizeWorkers } from '../cluster/cluster-summary';
import { findObstacles, type Obstacle, type ObstacleParts } from '../cluster/obstacles';
import type { JsonValue } from '../responses/raw-json';
import { sendJson } from '../responses/send-json';
import type { Route } from './route';

export interface HealthRouteOptions extends ObstacleParts {
  readonly keyRing: KeyRing;
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
          const obstacles = findObstacles(options);
          const status = inFlight.draining ? 'draining' : obstacles.length === 0 ? 'ok' : 'degraded';
          sendJson(response, 200, {
            status,
            reasons: obstacles.map(toView),
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
        (request, response) => {
          const [obstacle] = findObstacles(options, readLane(request.url));
          if (obstacle === undefined) sendJson(response, 200, { status: 'ready' });
          else sendJson(response, 503, { status: 'not ready', ...toView(obstacle) });
        },
      ],
    },
    {
      method: 'get',
      path: '/health/instance',
      handlers: [
        (request, response) => {
          const nonce = new URLSearchParams(request.url.split('?')[1] ?? '').get('nonce') ?? '';
          if (!INSTANCE_NONCE.test(nonce)) throw new ClusterError('REQUEST_INVALID', "'nonce' must be 22 to 64 letters, digits, - or _.");
          sendJson(response, 200, { proof: proveInstance(options.keyRing, nonce, request.socket.localPort ?? 0) });
        },
      ],
    },
  ];
}

const toView = ({ code, message, problems }: Obstacle): { readonly [member: string]: JsonValue | undefined } => ({
  code,
  message,
  problems,
});

/** `?lane=`: whoever sends to one lane need not care for the others. Probes may add to the query what they like. */
function readLane(url: string): string | undefined {
  const lane = new URLSearchParams(url.split('?')[1] ?? '').get('lane') ?? '';
  return LANE_PATTERN.test(lane) ? lane : undefined;
}
