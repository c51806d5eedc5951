import {
  ClusterError,
  ProcessMetrics,
  type Config,
  type KeyRing,
  type Logger,
  type RedisKeys,
  type WorkerHeartbeat,
} from '@python3-cluster/shared';
import type { Redis } from 'ioredis';
import { ElectedReplica } from '../cluster/elected-replica';
import type { RedisProbe } from '../cluster/redis-health';
import type { RedisBreaker } from '../redis/redis-breaker';
import type { InFlight } from '../requests/in-flight';
import { ClusterMetrics } from './cluster-metrics';
import { observeApi } from './observe-api';
import { observeCluster } from './observe-cluster';

export interface MetricsParts {
  readonly config: Config;
  readonly redis: Redis;
  readonly keys: RedisKeys;
  readonly keyRing: KeyRing;
  readonly replicaId: string;
  readonly breaker: RedisBreaker;
  readonly probe: RedisProbe;
  readonly inFlight: InFlight;
  /** Whether this replica has another signing key than the cluster: then it must not speak for it. */
  readonly isForeign: () => boolean;
  readonly liveWorkers: () => readonly WorkerHeartbeat[];
  readonly logger: Logger;
}

export interface ReplicaMetrics {
  readonly elected: ElectedReplica;
  readonly clusterMetrics: ClusterMetrics;
  readonly metrics: ProcessMetrics;
}

/** What one API replica knows of the cluster and of itself, and the election among replicas. Nothing is started. */
export function createMetrics({ config, replicaId, isForeign, ...parts }: MetricsParts): ReplicaMetrics {
  const { breaker, liveWorkers, logger } = parts;
  const guard = <T>(command: () => Promise<T>): Promise<T> =>
    isForeign() ? Promise.reject(new ClusterError('SIGNING_KEY_MISMATCH')) : breaker.run(command);
  const elected = new ElectedReplica({ ...parts, guard });
  const clusterMetrics = new ClusterMetrics({ ...parts, elected });
  const metrics = new ProcessMetrics({ service: 'api', instanceId: replicaId, config, logger });
  metrics.observe(observeCluster(clusterMetrics.reader, liveWorkers));
  metrics.observe(observeApi({ ...parts, elected }));
  return { elected, clusterMetrics, metrics };
}
