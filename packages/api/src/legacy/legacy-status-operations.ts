import { PRODUCT_VERSION, type WorkerHeartbeat } from '@python3-cluster/shared';
import { platform } from 'node:os';
import { dirname } from 'node:path';
import { summarizeWorkers } from '../cluster/cluster-summary';
import type { WorkerRegistry } from '../cluster/worker-registry';
import { defineFeature } from '../operations/feature';
import { ok, type Access, type Handle, type Operation } from '../operations/operation';
import type { JsonValue } from '../responses/raw-json';
import { LEGACY_BASE } from './legacy-envelope';

const tells = (name: string, access: Access, answer: string): Operation => ({
  method: 'get',
  path: `${LEGACY_BASE}/${name}`,
  access,
  effect: 'read',
  ...(access === 'public' && { query: 'any' as const }),
  answers: { 200: answer },
});

/** The predecessor's routes that only tell. They answer from the registry in memory, also while every slot is held. */
export const legacyStatusFeature = defineFeature({
  name: 'legacy-status',
  operations: {
    version: tells('version', 'viewer', '`version` (`sys.version`), `pythonVersion`, `moduleVersion`, `available`'),
    pool: tells('pool-stats', 'viewer', '`totalSize`, `poolSize`, `available`, `inUse`, `healthy`, over all worker nodes'),
    diagnostics: tells('diagnostics', 'viewer', '`available`, `poolStats`, `versionInfo`, `distributionInfo`, `timestamp`'),
    health: tells('health', 'public', '`healthy`, `available`, `status` (`HEALTHY`, `DOWN`), `timestamp`'),
  },
  create: ({ registry }: { readonly registry: WorkerRegistry }) => {
    const tell =
      (view: (workers: readonly WorkerHeartbeat[]) => JsonValue): Handle =>
      () =>
        ok(view(registry.liveWorkers()));
    return { version: tell(toVersion), pool: tell(toPoolStats), diagnostics: tell(toDiagnostics), health: tell(toHealth) };
  },
});

/** The cluster's version is that of its longest-running worker node: nodes may differ while they are replaced. */
function toVersion(workers: readonly WorkerHeartbeat[]): JsonValue {
  const worker = oldestOf(workers);
  if (worker === undefined) return { available: false, error: 'Python 3 process pool is not initialized: no worker node is running.' };
  return { version: worker.python.fullVersion, pythonVersion: worker.python.version, moduleVersion: PRODUCT_VERSION, available: true };
}

function toPoolStats(workers: readonly WorkerHeartbeat[]): JsonValue {
  const { total, inUse, healthy } = summarizeWorkers(workers).slots;
  return { totalSize: total, poolSize: total, available: Math.max(0, total - inUse), inUse, healthy };
}

function toHealth(workers: readonly WorkerHeartbeat[]): JsonValue {
  const healthy = workers.some((worker) => worker.pool.healthy > 0);
  return { healthy, available: workers.length > 0, status: healthy ? 'HEALTHY' : 'DOWN', timestamp: Date.now() };
}

function toDiagnostics(workers: readonly WorkerHeartbeat[]): JsonValue {
  const pythonPath = oldestOf(workers)?.python.executable;
  const available = workers.length > 0;
  return {
    available,
    poolStats: toPoolStats(workers),
    versionInfo: toVersion(workers),
    distributionInfo: {
      os: platform(),
      embeddedInstalled: false,
      pythonDir: pythonPath === undefined ? '' : dirname(pythonPath),
      autoDownload: false,
      pythonPath,
      available,
    },
    timestamp: Date.now(),
  };
}

const oldestOf = (workers: readonly WorkerHeartbeat[]): WorkerHeartbeat | undefined =>
  workers.reduce<WorkerHeartbeat | undefined>(
    (oldest, worker) => (oldest && oldest.startedAt <= worker.startedAt ? oldest : worker),
    undefined,
  );
