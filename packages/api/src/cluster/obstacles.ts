import { errorDefinition, type ErrorCode, type RedisSuitability, type ReplicaConfirmation } from '@python3-cluster/shared';
import type { RedisBreaker } from '../redis/redis-breaker';
import type { InFlight } from '../requests/in-flight';
import type { RedisProbe } from './redis-health';
import type { UnservedLanes } from './unserved-lanes';
import type { WorkerRegistry } from './worker-registry';

export interface ObstacleParts {
  readonly registry: WorkerRegistry;
  readonly unserved: UnservedLanes;
  readonly probe: RedisProbe;
  readonly breaker: RedisBreaker;
  readonly suitability: RedisSuitability;
  readonly replicas: ReplicaConfirmation | undefined;
  readonly inFlight: InFlight;
}

export interface Obstacle {
  /** The code new jobs are refused with. */
  readonly code: ErrorCode;
  /** One sentence. */
  readonly message: string;
  readonly problems?: readonly string[];
}

/**
 * Why this replica takes no jobs now, or no node runs some of them; the worst first, none where all is well. It asks for the
 * same as the dispatcher does, so that a job sent when there is no obstacle is not refused for one.
 */
export function findObstacles(parts: ObstacleParts, lane?: string): Obstacle[] {
  const { inFlight, suitability, replicas } = parts;
  const found: Obstacle[] = [];
  const add = (code: ErrorCode, message?: string, problems?: readonly string[]): void =>
    void found.push({ code, message: message ?? errorDefinition(code).message, ...(problems && { problems }) });
  if (inFlight.draining) add('SHUTTING_DOWN');
  if (suitability.state === 'unsuitable') add('REDIS_UNSUITABLE', undefined, suitability.problems);
  const trouble = redisTrouble(parts);
  if (trouble !== undefined) add('QUEUE_UNAVAILABLE', trouble);
  if (replicas?.isFullyAvailable === false) add('DURABILITY_UNAVAILABLE', 'No replica of Redis confirms writes.');
  // What is known of worker nodes while Redis is away is old.
  if (trouble === undefined) for (const message of laneTroubles(parts, lane)) add('NO_WORKER_FOR_LANE', message);
  return found;
}

function redisTrouble({ probe, breaker, suitability, registry }: ObstacleParts): string | undefined {
  const { reachable, writable } = probe.health();
  if (!reachable || !suitability.isConnected) return 'Redis cannot be reached.';
  if (!writable) return 'Redis refuses writes.';
  if (breaker.state !== 'closed') return `Commands to Redis keep failing; the breaker is ${breaker.state}.`;
  if (suitability.state === 'unchecked') return 'Redis is being checked.';
  return registry.isFresh() ? undefined : 'The registry of worker nodes cannot be read.';
}

function laneTroubles({ registry, unserved }: ObstacleParts, lane: string | undefined): string[] {
  if (lane !== undefined) return registry.servesLane(lane) ? [] : [`No worker node serves the lane '${lane}'.`];
  const waiting = [...unserved.waitingJobs].map(
    ([name, jobs]) => `No worker node serves the lane '${name}', where ${jobs === 1 ? '1 job waits' : `${jobs} jobs wait`}.`,
  );
  const isAnyServed = registry.liveWorkers().some((worker) => !worker.draining);
  return isAnyServed ? waiting : ['No worker node is up.', ...waiting];
}
