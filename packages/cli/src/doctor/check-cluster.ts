import { isClusterError, type Environment } from '@python3-cluster/shared';
import { findCluster } from '../cluster/find-cluster';
import { readCluster } from '../top/read-cluster';
import type { ClusterReading, HealthReading, LaneReading, WorkerReading } from '../top/cluster-reading';
import { fail, ok, warn, type CheckResult } from './check';

/** What runs here, as its API tells it: the API itself, its worker nodes, its lanes, its Redis. */
export async function checkCluster(environment: Environment, dataDirectory: string): Promise<CheckResult[]> {
  try {
    const { address, config } = await findCluster({ environment, dataDirectory });
    return describeCluster(address, await readCluster({ url: address, key: config.adminApiKey || config.developerApiKey }));
  } catch (error) {
    if (!isClusterError(error)) throw error;
    // A machine that is looked at before anything runs on it is in order.
    return error.code === 'CLUSTER_NOT_FOUND' ? [{ name: 'Cluster', verdict: 'ok', text: `none runs here. ${error.message}` }] : [];
  }
}

export function describeCluster(address: string, { health, problems, workers, lanes }: ClusterReading): CheckResult[] {
  if (health === undefined) return [fail('API', problems.join('; '), 'look into its log: .data/logs/api.log, or the journal of its unit')];
  const nobody = fail('Worker nodes', 'none is up', 'start one: npx python3-cluster worker; .data/logs/worker.log says why one ended');
  return [
    describeApi(address, health),
    health.redisWritable
      ? ok('Redis in use', 'takes writes')
      : fail('Redis in use', 'takes no writes', 'see that it runs, has memory and disk, and is no replica: .data/logs/redis.log'),
    ...(workers.length === 0 ? [nobody] : workers.map(describeWorker)),
    ...lanes.map(describeLane),
    ...(problems.length === 0 ? [] : [warn('Figures', problems.join('; '), 'see that the key in .data or .env is one of this cluster')]),
  ];
}

function describeApi(address: string, { status, reasons, version = '' }: HealthReading): CheckResult {
  if (reasons.length === 0) return ok('API', `${address} ${version} is ${status}`);
  return warn('API', `${address} is ${status}: ${reasons.join(' ')}`, 'mend what it names; docs/operations.md has each case');
}

function describeWorker({ id, inUse = NaN, max = NaN, level = '?', lanes, draining }: WorkerReading): CheckResult {
  const state = draining ? ', draining' : '';
  return ok('Worker node', `${id}, level ${level}, ${inUse} of ${max} slots in use, lanes ${lanes.join(', ')}${state}`);
}

function describeLane({ lane, workers = 0, waiting = 0 }: LaneReading): CheckResult {
  const text = `${lane}: ${workers} ${workers === 1 ? 'node' : 'nodes'}, ${waiting} waiting`;
  if (workers > 0 || waiting === 0) return ok('Lane', text);
  return warn('Lane', text, `start a worker node with PYTHON3_LANES=${lane}, or cancel what waits there`);
}
