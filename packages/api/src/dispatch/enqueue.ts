import {
  ClusterError,
  DEFAULT_PRIORITY,
  inTurns,
  MAX_QUEUED_BYTES,
  RECORD_FIELDS,
  sealingJob,
  sealJobHead,
  type Job,
  type KeyRing,
  type QueueEntry,
  type RedisKeys,
  type ReplicaConfirmation,
} from '@python3-cluster/shared';
import type { JobsOptions } from 'bullmq';
import type { Redis } from 'ioredis';
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
  /** Where a replica must have the job before it counts as accepted. */
  readonly replicas?: ReplicaConfirmation | undefined;
}

/**
 * Puts a job on its lane. All writes of one event-loop turn travel as one pipeline, in this order:
 *
 *   record ─▶ its expiry ─▶ index of open jobs ─▶ payload, if large ─▶ queue entry ─▶ its owner's index
 *
 * A worker node runs nothing that has no record. Should the record alone be refused, the entry behind it is therefore
 * dead, and "nothing was accepted" is true. The index comes behind the record: an entry without one is taken for old.
 *
 * @throws ClusterError QUEUE_UNAVAILABLE (nothing was accepted), QUEUE_UNCERTAIN (nobody knows)
 */
export async function enqueue(tools: EnqueueTools, job: Job, payload: Buffer): Promise<void> {
  const sealed = await inTurns(sealingJob(tools.keyRing, job, payload));
  if (tools.redis.status !== 'ready') throw new ClusterError('QUEUE_UNAVAILABLE');
  const writes = writeJob(tools, job, payload.length, sealed);
  const indexed = tools.index?.add(job);
  const results = await Promise.allSettled(writes);
  await indexed;
  const failures = results.filter((result) => result.status === 'rejected').map((result): unknown => result.reason);
  if (failures.length === 0) return;
  const kinds = failures.map(classifyRedisFailure);
  if (kinds.includes('unanswered'))
    throw new ClusterError('QUEUE_UNCERTAIN', undefined, { cause: failures[0], details: { jobId: job.id } });
  if (kinds.includes('refused')) removeRecord(tools, job);
  throw new ClusterError('QUEUE_UNAVAILABLE', undefined, { cause: failures[0] });
}

function writeJob(tools: EnqueueTools, job: Job, payloadBytes: number, sealed: Buffer): Promise<unknown>[] {
  const { redis, keys, keyRing, queues, replicas } = tools;
  const keepMs = job.validUntil - job.issuedAt + job.resultTtlMs;
  const record = keys.jobRecord(job.lane, job.id);
  const isLarge = sealed.length > MAX_QUEUED_BYTES;
  const entry: QueueEntry = isLarge ? { stored: true } : { sealed: sealed.toString('utf8') };
  return [
    redis.hset(
      record,
      RECORD_FIELDS.job,
      sealJobHead(keyRing, job),
      RECORD_FIELDS.state,
      job.startAfter === undefined ? 'waiting' : 'delayed',
      RECORD_FIELDS.queuedBytes,
      payloadBytes,
    ),
    redis.pexpire(record, keepMs),
    redis.zadd(keys.openJobs(job.lane), job.issuedAt, job.id),
    ...(isLarge ? [redis.set(keys.jobPayload(job.lane, job.id), sealed, 'PX', keepMs)] : []),
    queues.get(job.lane).add(job.kind, entry, queueOptions(job)),
    // Last: who finds it finds all of the above.
    ...(replicas === undefined ? [] : [redis.hset(record, RECORD_FIELDS.queued, '1')]),
  ];
}

/** Every entry has a priority: BullMQ serves those without one before all others. */
function queueOptions({ id, issuedAt, startAfter, priority = DEFAULT_PRIORITY }: Job): JobsOptions {
  const delay = startAfter === undefined ? {} : { timestamp: issuedAt, delay: startAfter - issuedAt };
  return { jobId: id, removeOnComplete: true, removeOnFail: true, attempts: 1, priority, ...delay };
}

/** Best effort: a record left behind expires by itself, and without an entry nobody starts it. */
function removeRecord({ redis, keys }: EnqueueTools, job: Job): void {
  redis.del(keys.jobRecord(job.lane, job.id), keys.jobPayload(job.lane, job.id)).catch(() => undefined);
}
