import type { WorkerHeartbeat } from '@python3-cluster/shared';
import type { Authenticator } from '../auth/authenticator';
import { requireRole } from '../auth/require-role';
import type { WorkerRegistry } from '../cluster/worker-registry';
import { refuseQuery } from '../requests/refuse-query';
import type { JsonValue } from '../responses/raw-json';
import { sendJson } from '../responses/send-json';
import type { Route } from './route';

export function createWorkerRoutes({ authenticator, registry }: { authenticator: Authenticator; registry: WorkerRegistry }): Route[] {
  return [
    {
      method: 'get',
      path: '/api/v1/workers',
      handlers: [
        refuseQuery,
        requireRole(authenticator, 'viewer'),
        (_request, response) => sendJson(response, 200, { workers: registry.liveWorkers().map(toWorkerView) }),
      ],
    },
  ];
}

/** Named one by one: what else a heartbeat may hold one day is not for callers. */
function toWorkerView(worker: WorkerHeartbeat): JsonValue {
  const { id, nodeName, version, lanes, level, isolation, python, pool, startedAt, draining, signing } = worker;
  const { layers, reasons } = isolation;
  return {
    id,
    nodeName,
    version,
    lanes,
    level,
    isolation: {
      layers: { uid: layers.uid, namespaces: layers.namespaces, landlockAbi: layers.landlockAbi, seccomp: layers.seccomp },
      reasons: { uid: reasons.uid, namespaces: reasons.namespaces, landlock: reasons.landlock, seccomp: reasons.seccomp },
    },
    python: { version: python.version },
    pool: { size: pool.size, max: pool.max, inUse: pool.inUse, healthy: pool.healthy, waiting: pool.waiting },
    signing: signing === undefined ? null : { keyId: signing.keyId, keyIds: [...signing.keyIds] },
    startedAt,
    draining,
  };
}
