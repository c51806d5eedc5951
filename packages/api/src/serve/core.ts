import type {
  Config, KeyRing, Logger, ProcessMetrics, QuarantineList, RedisKeys, RedisSuitability, ReplicaConfirmation, Tracing,
} from '@python3-cluster/shared'; // prettier-ignore
import type { Redis } from 'ioredis';
import type { AlertStore } from '../alerts/alert-store';
import type { Authenticator } from '../auth/authenticator';
import type { RedisProbe } from '../cluster/redis-health';
import type { UnservedLanes } from '../cluster/unserved-lanes';
import type { WorkerRegistry } from '../cluster/worker-registry';
import type { Dispatcher } from '../dispatch/dispatcher';
import type { IdempotencyRecords } from '../dispatch/idempotency-records';
import type { JobList } from '../dispatch/job-list';
import type { OutcomeStore } from '../dispatch/outcome-store';
import type { RunningJobs } from '../dispatch/running-jobs';
import type { RedisBreaker } from '../redis/redis-breaker';
import type { JobWatches } from '../events/job-watches';
import type { ClusterMetrics } from '../metrics/cluster-metrics';
import type { BodyBudget } from '../requests/body-budget';
import type { InFlight } from '../requests/in-flight';
import type { DeferredTraces } from '../traces/deferred-traces';

/** What features are made of: the parts of one API replica. */
export interface Core {
  readonly config: Config;
  readonly logger: Logger;
  readonly keyRing: KeyRing;
  readonly keys: RedisKeys;
  readonly redis: Redis;
  readonly authenticator: Authenticator;
  readonly dispatcher: Dispatcher;
  readonly store: OutcomeStore;
  readonly list: JobList;
  readonly running: RunningJobs;
  readonly watches: JobWatches;
  readonly registry: WorkerRegistry;
  readonly unserved: UnservedLanes;
  readonly probe: RedisProbe;
  readonly breaker: RedisBreaker;
  readonly suitability: RedisSuitability;
  readonly replicas: ReplicaConfirmation | undefined;
  readonly idempotency: IdempotencyRecords;
  readonly quarantine: QuarantineList;
  readonly alerts: AlertStore;
  readonly inFlight: InFlight;
  readonly bodies: BodyBudget;
  readonly waitsEnd: AbortSignal;
  readonly tracing: Tracing | undefined;
  readonly deferredTraces: DeferredTraces | undefined;
  readonly metrics: ProcessMetrics;
  readonly clusterMetrics: ClusterMetrics;
}
