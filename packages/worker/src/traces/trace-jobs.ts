import type { Logger, RedisKeys, Tracing } from '@python3-cluster/shared';
import type { Redis } from 'ioredis';
import { AttemptTrace } from './attempt-trace';
import type { TraceJob } from '../jobs/job-trace';

export interface TraceJobsOptions {
  /** undefined: traces are not configured. */
  readonly tracing: Tracing | undefined;
  readonly workerId: string;
  readonly redis: Redis;
  readonly keys: RedisKeys;
  readonly logger: Logger;
}

/** Where a job is exported that nobody sampled, the API replica that accepted it hears of it, and adds its own spans. */
export function createTraceJobs({ tracing, workerId, redis, keys, logger }: TraceJobsOptions): TraceJob | undefined {
  if (tracing === undefined) return undefined;
  const announce = (jobId: string): void => {
    redis.publish(keys.tracedChannel, jobId).catch((error: unknown) => {
      logger.debug({ jobId, error: String(error) }, 'not announced: its trace stays without the spans of the API');
    });
  };
  return (received) => new AttemptTrace(tracing, received, workerId, announce);
}
