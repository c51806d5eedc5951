import { PRODUCT_VERSION, type WorkerHeartbeat } from '@python3-cluster/shared';
import { platform } from 'node:os';
import { dirname } from 'node:path';
import type { RequestHandler } from 'express';
import type { Authenticator } from '../auth/authenticator';
import { requireRole } from '../auth/require-role';
import { summarizeWorkers } from '../cluster/cluster-summary';
import type { WorkerRegistry } from '../cluster/worker-registry';
import { refuseQuery } from '../requests/refuse-query';
import type { JsonValue } from '../responses/raw-json';
import { sendJson } from '../responses/send-json';
import type { Route } from '../routes/route';
import { LEGACY_BASE } from './legacy-envelope';

export interface LegacyStatusRouteOptions {
  readonly authenticator: Authenticator;
  readonly registry: WorkerRegistry;
}

/** The predecessor's routes that only tell. They answer from the registry in memory, also while every slot is held. */
export function createLegacyStatusRoutes({ authenticator, registry }: LegacyStatusRouteOptions): Route[] {
  const tell = (name: string, view: (workers: readonly WorkerHeartbeat[]) => JsonValue, guards: readonly RequestHandler[]): Route => ({
    method: 'get',
    path: `${LEGACY_BASE}/${name}`,
    handlers: [...guards, (_request, response) => sendJson(response, 200, view(registry.liveWorkers()))],
  });
  const withKey = [refuseQuery, requireRole(authenticator, 'viewer')];
  return [
    tell('version', toVersion, withKey),
    tell('pool-stats', toPoolStats, withKey),
    tell('diagnostics', toDiagnostics, withKey),
    tell('health', toHealth, []),
  ];
}

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
