import type { WorkerHeartbeat } from '@python3-cluster/shared';
import { defineFeature } from '../operations/feature';
import { ok } from '../operations/operation';
import type { JsonValue } from '../responses/raw-json';
import type { WorkerRegistry } from './worker-registry';

export const workerFeature = defineFeature({
  name: 'workers',
  operations: {
    list: {
      method: 'get',
      path: '/api/v1/workers',
      access: 'viewer',
      effect: 'read',
      answers: { 200: '`{"workers": […]}`' },
    },
  },
  create: ({ registry }: { readonly registry: WorkerRegistry }) => ({
    list: () => ok({ workers: registry.liveWorkers().map(toWorkerView) }),
  }),
});

/** Named one by one: what else a heartbeat may hold one day is not for callers. */
function toWorkerView(worker: WorkerHeartbeat): JsonValue {
  const { id, nodeName, version, lanes, level, isolation, python, pool, startedAt, draining, host, signing } = worker;
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
    host: toHostView(host),
    startedAt,
    draining,
  };
}

/** null: not looked at yet, or not told by an older node. */
const toHostView = (host: WorkerHeartbeat['host']): JsonValue =>
  host === undefined
    ? null
    : {
        cpuShare: host.cpuShare ?? null,
        memoryUsedBytes: host.memoryUsedBytes ?? null,
        memoryTotalBytes: host.memoryTotalBytes ?? null,
        diskFreeBytes: host.diskFreeBytes,
        diskTotalBytes: host.diskTotalBytes,
        clockOffsetMs: host.clockOffsetMs,
      };
