import {
  acceptedField,
  ClusterError,
  DEFAULT_PRIORITY,
  inTurns,
  MAX_QUEUED_BYTES,
  PIECE_BYTES,
  sealingJob,
  sealJobHead,
  type Job,
  type KeyRing,
  type LargeContent,
  type QueueEntry,
  type RedisKeys,
  type ReplicaConfirmation,
  type StagedContent,
} from '@python3-cluster/shared';
import { randomUUID } from 'node:crypto';
import type { Redis } from 'ioredis';
import type { CallerHolds } from './caller-holds';
import { acceptJob, type QueueEntryOptions } from './accept-job';
import type { JobIndex } from './job-index';
import type { LaneQueues } from './lane-queues';
import { classifyRedisFailure } from '../redis/redis-failures';

export interface EnqueueTools {
  readonly redis: Redis;
  readonly keys: RedisKeys;
  readonly keyRing: KeyRing;
  readonly queues: LaneQueues;
  /** How content goes to Redis that is too large to stand before anything else. */
  readonly large: LargeContent;
  /** How a job is held whose caller waits. */
  readonly holds?: CallerHolds;
  /** Where the job is listed for its owner. */
  readonly index?: JobIndex;
  /** Where a replica must have the job before it counts as accepted. */
  readonly replicas?: ReplicaConfirmation | undefined;
}

/**
 * Puts a job on its lane: record, expiry, index of open jobs, payload if large and queue entry in one atomic step, so that a
 * worker node, which runs nothing that has no record, never meets half a job. All commands of one event-loop turn travel as
 * one pipeline; the lists of owners' jobs come last, as an entry without a record is taken for old. Large content has gone
 * ahead in pieces by then, so that the step is a small one.
 *
 * @throws ClusterError QUEUE_UNAVAILABLE (nothing was accepted), QUEUE_UNCERTAIN (nobody knows)
 */
export async function enqueue(tools: EnqueueTools, job: Job, payload: Buffer): Promise<void> {
  const sealed = await inTurns(sealingJob(tools.keyRing, job, payload));
  if (tools.redis.status !== 'ready') throw new ClusterError('QUEUE_UNAVAILABLE');
  const staged = sealed.length > PIECE_BYTES ? await stageContent(tools, job, sealed) : undefined;
  // From here to the command there is no wait: it must be accepted by the end of its hold.
  const heldUntil = job.held ? (tools.holds?.grant(job) ?? '') : '';
  // Asked for first and sent last: see `JobIndex.add`.
  const indexed = tools.index?.add(job);
  try {
    await writeJob(tools, job, { payloadBytes: payload.length, sealed, staged, heldUntil });
  } catch (error) {
    const kind = classifyRedisFailure(error);
    if (kind === 'unanswered') throw new ClusterError('QUEUE_UNCERTAIN', undefined, { cause: error, details: { jobId: job.id } });
    if (kind === 'refused' && !wroteNothing(error)) removeRecord(tools, job);
    throw new ClusterError('QUEUE_UNAVAILABLE', undefined, { cause: error });
  }
  await indexed;
}

/** Until it is put in its place nothing has been accepted, whatever becomes of it. @throws ClusterError QUEUE_UNAVAILABLE */
async function stageContent({ large, keys }: EnqueueTools, { lane }: Job, sealed: Buffer): Promise<StagedContent> {
  try {
    return await large.stage(keys.staged(lane, randomUUID()), sealed);
  } catch (error) {
    throw new ClusterError('QUEUE_UNAVAILABLE', undefined, { cause: error });
  }
}

/** What the script says before its first write; there may be a record, and then it is that of an earlier request. */
const wroteNothing = (error: unknown): boolean => /\b(?:UNSTAGED|LATE)\b/.test(String(error));

interface ToWrite {
  readonly payloadBytes: number;
  readonly sealed: Buffer;
  readonly staged: StagedContent | undefined;
  readonly heldUntil: number | '';
}

function writeJob(tools: EnqueueTools, job: Job, { payloadBytes, sealed, staged, heldUntil }: ToWrite): Promise<void> {
  const { redis, keys, keyRing, queues, replicas } = tools;
  const keepMs = job.validUntil - job.issuedAt + job.resultTtlMs;
  const isLarge = sealed.length > MAX_QUEUED_BYTES;
  const entry: QueueEntry = isLarge ? { stored: true } : { sealed: sealed.toString('utf8') };
  const state = job.startAfter === undefined ? 'waiting' : 'delayed';
  return acceptJob(redis, queues.get(job.lane).getBackend(), {
    keys: [keys.jobRecord(job.lane, job.id), keys.openJobs(job.lane), keys.jobPayload(job.lane, job.id)],
    values: [
      sealJobHead(keyRing, job),
      payloadBytes,
      keepMs,
      job.id,
      job.issuedAt,
      isLarge && staged === undefined ? sealed : '',
      state,
      replicas === undefined ? '' : '1',
      acceptedField(job.kind),
      staged?.key ?? '',
      staged?.bytes ?? '',
      heldUntil,
    ],
    id: job.id,
    entry: { name: job.kind, data: JSON.stringify(entry), options: queueOptions(job) },
  });
}

/** Every entry has a priority: BullMQ serves those without one before all others. */
function queueOptions({ issuedAt, startAfter, priority = DEFAULT_PRIORITY }: Job): QueueEntryOptions['options'] {
  const delay = startAfter === undefined ? {} : { delay: startAfter - issuedAt };
  return { removeOnComplete: true, removeOnFail: true, attempts: 1, priority, ...delay };
}

/** Best effort: a record left behind expires by itself, and without an entry nobody starts it. */
function removeRecord({ redis, keys }: EnqueueTools, job: Job): void {
  redis.del(keys.jobRecord(job.lane, job.id), keys.jobPayload(job.lane, job.id)).catch(() => undefined);
}
