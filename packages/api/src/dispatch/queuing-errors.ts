import type { ErrorCode } from '@python3-cluster/shared';

/** Why a job that is well asked for may not be queued. */
export const QUEUING_ERRORS = [
  'PROGRAM_QUARANTINED',
  'QUEUE_FULL',
  'BODIES_FULL',
  'NO_WORKER_FOR_LANE',
  'QUEUE_UNAVAILABLE',
  'QUEUE_UNCERTAIN',
  'REDIS_UNSUITABLE',
  'DURABILITY_UNAVAILABLE',
] as const satisfies readonly ErrorCode[];
