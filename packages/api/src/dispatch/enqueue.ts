import {
  ClusterError,
  MAX_QUEUED_BYTES,
  sealJob,
  sealJobHead,
  type Job,
  type KeyRing,
  type QueueEntry,
  type RedisKeys,
} from '@python3-cluster/shared';
import type { Redis } from 'ioredis';
import { acceptJob } from './accept-job';
import type { JobIndex } from './job-index';
import type { LaneQueues } from './lane-queues';
import { classifyRedisFailure } from './redis-failures';

export interface EnqueueTools {
  readonly redis: Redis;
  readonly keys: RedisKeys;
  readonly keyRing: KeyRing;
  readonly queues: LaneQueues;
  /** Where the job is listed for its owner. */
  readonly index?: JobIndex;
}

/**
 * Puts a job on its lane: record, expiry, index of open jobs, payload if large and queue entry in one atomic step, so that a
 * worker node, which runs nothing that has no record, never meets half a job. All commands of one event-loop turn travel as
 * one pipeline; the lists of owners' jobs come last, as an entry without a record is taken for old.
 *
 * @throws ClusterError QUEUE_UNAVAILABLE (nothing was accepted), QUEUE_UNCERTAIN (nobody knows)
 */
export async function enqueue(tools: EnqueueTools, job: Job, payload: Buffer): Promise<void> {
  if (tools.redis.status !== 'ready') throw new ClusterError('QUEUE_UNAVAILABLE');
  // Asked for first and sent last: see `JobIndex.add`.
  const indexed = tools.index?.add(job);
  try {
    await writeJob(tools, job, payload);
  } catch (error) {
    const kind = classifyRedisFailure(error);
    if (kind === 'unanswered') throw new ClusterError('QUEUE_UNCERTAIN', undefined, { cause: error, details: { jobId: job.id } });
    if (kind === 'refused') removeRecord(tools, job);
    throw new ClusterError('QUEUE_UNAVAILABLE', undefined, { cause: error });
  }
  await indexed;
}

const ENTRY_OPTIONS = { removeOnComplete: true, removeOnFail: true, attempts: 1 };

function writeJob({ redis, keys, keyRing, queues }: EnqueueTools, job: Job, payload: Buffer): Promise<void> {
  const keepMs = job.validUntil - job.issuedAt + job.resultTtlMs;
  const sealed = sealJob(keyRing, job, payload);
  const isLarge = sealed.length > MAX_QUEUED_BYTES;
  const entry: QueueEntry = isLarge ? { stored: true } : { sealed: sealed.toString('utf8') };
  return acceptJob(redis, queues.get(job.lane).getBackend(), {
    keys: [keys.jobRecord(job.lane, job.id), keys.openJobs(job.lane), keys.jobPayload(job.lane, job.id)],
    values: [sealJobHead(keyRing, job), payload.length, keepMs, job.id, job.issuedAt, isLarge ? sealed : ''],
    id: job.id,
    entry: { name: job.kind, data: JSON.stringify(entry), options: ENTRY_OPTIONS },
  });
}

/** Best effort: a record left behind expires by itself, and without an entry nobody starts it. */
function removeRecord({ redis, keys }: EnqueueTools, job: Job): void {
  redis.del(keys.jobRecord(job.lane, job.id), keys.jobPayload(job.lane, job.id)).catch(() => undefined);
}
