import { isClusterError, type Environment } from '@python3-cluster/shared';
import { findCluster } from '../cluster/find-cluster';
import { readCluster } from '../top/read-cluster';
import type { ClusterReading } from '../top/cluster-reading';
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
  const results = [
    health.reasons.length === 0
      ? ok('API', `${address} ${health.version ?? ''} is ${health.status}`)
      : warn('API', `${address} is ${health.status}: ${health.reasons.join(' ')}`, 'mend what it names; docs/operations.md has each case'),
    health.redisWritable
      ? ok('Redis in use', 'takes writes')
      : fail('Redis in use', 'takes no writes', 'see that it runs, has memory and disk, and is no replica: .data/logs/redis.log'),
  ];
  if (workers.length === 0) results.push(fail('Worker nodes', 'none is up', 'start one: npx python3-cluster worker; .data/logs/worker.log says why one ended'));
  for (const { id, inUse, max, level, lanes: served, draining } of workers)
    results.push(ok('Worker node', `${id}, level ${level ?? '?'}, ${inUse ?? '?'} of ${max ?? '?'} slots in use, lanes ${served.join(', ')}${draining ? ', draining' : ''}`));
  for (const { lane, workers: nodes = 0, waiting = 0 } of lanes) {
    const text = `${lane}: ${nodes} ${nodes === 1 ? 'node' : 'nodes'}, ${waiting} waiting`;
    results.push(nodes === 0 && waiting > 0 ? warn('Lane', text, `start a worker node with PYTHON3_LANES=${lane}, or cancel what waits there`) : ok('Lane', text));
  }
  if (problems.length > 0) results.push(warn('Figures', problems.join('; '), 'see that the key in .data or .env is one of this cluster'));
  return results;
} // prettier-ignore
