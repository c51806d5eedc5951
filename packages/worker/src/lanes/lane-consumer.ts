import { DelayedError, Job as QueueJob, WaitingError } from 'bullmq';
import type { Redis } from 'ioredis';
import {
  LimitedWarning,
  LOCK_DURATION_MS,
  LOCK_RENEW_MS,
  RECORD_FIELDS,
  STALLED_CHECK_MS,
  STARTS_CEILING,
  toSubject,
  type Logger,
  type QueueEntry,
  type RedisKeys,
  type RedisOutage,
} from '@python3-cluster/shared';
import { CANCEL_REQUESTED, LOCK_LOST, NODE_STOPPING } from '../jobs/abort-reasons';
import type { JobProcessor } from '../jobs/process-job';
import { BUSY, type Processed } from '../jobs/processed';
import type { PreparedOutcome } from '../jobs/outcome-writer';
import { writeOutcomesOnCompletion, type DeliveredOutcome } from './finish-and-complete';
import { LockWatch } from './lock-watch';
import { WatchedWorker } from './watched-worker';

export interface LaneConsumerOptions {
  readonly lane: string;
  readonly redis: Redis;
  readonly keys: RedisKeys;
  readonly concurrency: number;
  readonly processor: JobProcessor;
  readonly workerId: string;
  /** Whether Redis is as it must be for jobs to be started. */
  readonly mayTake: (lane: string) => Promise<boolean>;
  readonly outage?: Pick<RedisOutage, 'isRecent'>;
  readonly logger: Logger;
}

/** After a failure of Redis that is none of the connection, as in a failover. BullMQ's own is 15 s. */
const RETRY_MS = 500;

/** Pause before a job that found no slot here, or met a failure of ours, may be fetched again, by any node. */
const PAUSE_MS = 250;

/**
 * Fetches a lane's jobs from BullMQ. The queue is transport: its own attempts, results and failures say nothing about a
 * job, the record does. A job that is delivered again after its node was lost is judged by the start marker.
 */
export class LaneConsumer {
  private readonly options: LaneConsumerOptions;
  private readonly worker: WatchedWorker<QueueEntry>;
  private readonly locks = new LockWatch();
  private readonly running = new Map<string, AbortController>();
  private isStarted = false;
  /** Outcomes of jobs that the queue is about to be told are done. */
  private readonly outcomes = new Map<string, DeliveredOutcome>();

  constructor(options: LaneConsumerOptions) {
    this.options = options;
    const onRenewed = (jobIds: readonly string[], askedAt: number): void => this.locks.confirm(jobIds, askedAt);
    this.worker = new WatchedWorker<QueueEntry>(onRenewed, options.keys.queueName, (job, token) => this.process(job, token), {
      connection: options.redis,
      prefix: options.keys.queuePrefix(options.lane),
      name: options.workerId,
      concurrency: options.concurrency,
      lockDuration: LOCK_DURATION_MS,
      lockRenewTime: LOCK_RENEW_MS,
      stalledInterval: STALLED_CHECK_MS,
      // The record counts starts; the queue must not give up before it does.
      maxStalledCount: STARTS_CEILING,
      removeOnComplete: { count: 0 },
      removeOnFail: { count: 0 },
      runRetryDelay: RETRY_MS,
      autorun: false,
    });
    const tell = (fields: object, what: string): void =>
      options.logger.error({ event: 'security', errorCode: 'RECORD_UNVERIFIED', lane: options.lane, ...fields }, what);
    writeOutcomesOnCompletion(this.worker.getBackend(), options.redis, {
      findOutcome: (jobId) => this.outcomes.get(jobId),
      onForeignFields: (jobId, fields) => {
        tell({ jobId, fields: fields.slice(0, 5).map(toSubject) }, 'a queue entry has fields of somebody else; removed');
        void options.redis.hdel(options.keys.queueEntry(options.lane, jobId), ...fields).catch(() => undefined);
      },
      onForcedOut: (jobId, failure) =>
        tell({ jobId, failure }, 'the queue could not complete a job that has its outcome; its entry is removed'),
    });
    const warning = new LimitedWarning(options.logger.child({ lane: options.lane }));
    this.worker.on('error', (error) => {
      if (isConnectionError(error)) this.noteLostConnection(error, warning);
      else warning.warn({ error: error.message }, 'the queue');
    });
    this.worker.on('lockRenewalFailed', (jobIds) => {
      for (const jobId of jobIds) this.running.get(jobId)?.abort(LOCK_LOST);
    });
  }

  get lane(): string {
    return this.options.lane;
  }

  /** BullMQ's own connection, on which it waits for jobs, hears of an outage first or last: that is told by the others. */
  private noteLostConnection(error: Error, warning: LimitedWarning): void {
    const { outage } = this.options;
    setTimeout(() => {
      if (outage?.isRecent !== true) warning.warn({ error: error.message }, 'the queue’s connection to Redis');
    }, OUTAGE_KNOWN_MS).unref();
  }

  /** Begins to fetch, or goes on after a pause. */
  start(): void {
    if (this.isStarted) {
      void this.worker.resume();
      return;
    }
    this.isStarted = true;
    this.worker
      .run()
      .catch((error: unknown) => this.options.logger.error({ lane: this.options.lane, error: String(error) }, 'queue consumer ended'));
  }

  /** Fetches no more until it is started again; what runs goes on. */
  pause(): void {
    // The promise is that of a fetch that may be waiting for jobs.
    if (this.isStarted) void this.worker.pause(true).catch(() => undefined);
  }

  /** Fetches no more, and resolves when what runs has ended. */
  async drain(): Promise<void> {
    await this.worker.close();
  }

  /** Nothing runs here, and no outcome waits to be written. */
  get isIdle(): boolean {
    return this.running.size === 0 && this.outcomes.size === 0;
  }

  /** Ends what still runs and puts it back for other nodes. */
  abandon(): void {
    for (const running of this.running.values()) running.abort(NODE_STOPPING);
  }

  /** Ends the job, if it is here; `cancelled` becomes its outcome, unless it has one by then. */
  cancel(jobId: string): void {
    this.running.get(jobId)?.abort(CANCEL_REQUESTED);
  }

  /** Takes a job that has its outcome out of the queue. Where somebody holds it, that node will. */
  async removeEntry(jobId: string): Promise<void> {
    const entry = await QueueJob.fromId(this.worker, jobId);
    await entry?.remove({ removeChildren: false }).catch(() => undefined);
  }

  /** A job leaves the queue only when its record has an outcome; else it goes back, or its lock runs out by itself. */
  private async process(job: QueueJob<QueueEntry>, token: string | undefined): Promise<void> {
    const processed = await this.processOnce(job, token);
    switch (processed.kind) {
      case 'done':
        return;
      case 'later':
        await job.moveToDelayed(processed.notBefore, token);
        await this.dropIfFinished(job);
        throw new DelayedError();
      case 'busy':
      case 'failed':
        return this.putBack(job, token);
      case 'stopped':
        await job.moveToWait(token);
        throw new WaitingError();
      case 'lost':
        // Redis may have been away for less than the lock's time: then it is still ours, and to fail the job would take it
        // out of the queue. Where it is somebody else's, or nobody's, this is refused.
        await job.moveToWait(token).catch((error: unknown) => {
          throw new Error(`the lock of job ${job.id} was lost`, { cause: error });
        });
        throw new WaitingError();
    }
  }

  /** A job may have been cancelled just before its entry went back; then nobody else would look for the entry. */
  private async dropIfFinished({ id = '' }: QueueJob<QueueEntry>): Promise<void> {
    const { redis, keys, lane } = this.options;
    if ((await redis.hget(keys.jobRecord(lane, id), RECORD_FIELDS.state)) === 'finished') await this.removeEntry(id);
  }

  private async putBack(job: QueueJob<QueueEntry>, token: string | undefined): Promise<never> {
    await job.moveToDelayed(Date.now() + PAUSE_MS, token);
    throw new DelayedError();
  }

  /** Keeps an outcome until BullMQ completes the job, which it does as soon as `process` has returned. */
  private keep(job: QueueJob<QueueEntry>, token: string | undefined, { finish, stageAgain, onWritten }: PreparedOutcome): void {
    const { lane, logger } = this.options;
    const jobId = job.id ?? '';
    this.outcomes.set(jobId, {
      finish,
      stageAgain,
      onWritten: (written) => {
        this.outcomes.delete(jobId);
        onWritten(written);
      },
      onRefused: (error) => {
        this.outcomes.delete(jobId);
        logger.error({ jobId, lane, err: error }, 'the outcome could not be written; the job goes back to its lane');
        return this.putBack(job, token);
      },
    });
  }

  private async processOnce(job: QueueJob<QueueEntry>, token: string | undefined): Promise<Processed | Failed> {
    const { lane, processor, mayTake, logger } = this.options;
    const jobId = job.id ?? '';
    const aborter = new AbortController();
    this.running.set(jobId, aborter);
    this.locks.track(jobId, heldSince(job), () => {
      logger.warn({ jobId, lane }, 'the lock could not be renewed in time; what runs is ended before the lock expires');
      aborter.abort(LOCK_LOST);
    });
    try {
      if (!(await mayTake(lane))) return BUSY;
      const isRedelivered = job.stalledCounter > 0;
      const processed = await processor.process({
        lane, jobId, entry: job.data, isRedelivered, lockToken: token, signal: aborter.signal,
      }); // prettier-ignore
      // Before the job is no longer one that runs here: in between, the node would look idle.
      if (processed.kind === 'done' && processed.outcome !== undefined) this.keep(job, token, processed.outcome);
      return processed;
    } catch (error) {
      logger.error({ jobId, lane, err: error }, 'a failure of ours; the job goes back to its lane');
      return { kind: 'failed' };
    } finally {
      this.running.delete(jobId);
      this.locks.untrack(jobId);
    }
  }
}

/** A failure of ours; the job may be tried again soon. */
interface Failed {
  readonly kind: 'failed';
}
/** Within this, all connections have noticed. */
const OUTAGE_KNOWN_MS = 2_000;

const isConnectionError = (error: Error & { readonly code?: string }): boolean =>
  /^E(?:CONN|PIPE|TIMEDOUT|HOST|NET|NOTFOUND|AI_)/.test(error.code ?? '') || /^Connection is closed/.test(error.message);

/** When this node asked for the job and its lock, on the clock of `performance.now()`: the lock is not younger than that. */
function heldSince(job: QueueJob): number {
  const ageMs = Math.max(0, Date.now() - (job.processedOn ?? Date.now()));
  return performance.now() - ageMs;
}
