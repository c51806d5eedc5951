import { DelayedError, Worker, type Job as QueueJob } from 'bullmq';
import type { Redis } from 'ioredis';
import {
  LOCK_DURATION_MS,
  LOCK_RENEW_MS,
  MAX_STARTS,
  STALLED_CHECK_MS,
  type Logger,
  type QueueEntry,
  type RedisKeys,
} from '@python3-cluster/shared';
import { LOCK_LOST, type JobProcessor } from '../jobs/process-job';

export interface LaneConsumerOptions {
  readonly lane: string;
  readonly redis: Redis;
  readonly keys: RedisKeys;
  readonly concurrency: number;
  readonly processor: JobProcessor;
  readonly workerId: string;
  readonly logger: Logger;
}

/** Pause before a job that found no slot here may be fetched again, by any node. */
const BUSY_PAUSE_MS = 250;

/**
 * Fetches a lane's jobs from BullMQ. The queue is transport: its own attempts, results and failures say nothing about a
 * job, the record does. A job that is delivered again after its node was lost is judged by the start marker.
 */
export class LaneConsumer {
  private readonly options: LaneConsumerOptions;
  private readonly worker: Worker<QueueEntry>;
  private readonly running = new Map<string, AbortController>();

  constructor(options: LaneConsumerOptions) {
    this.options = options;
    this.worker = new Worker<QueueEntry>(options.keys.queueName, (job, token) => this.process(job, token), {
      connection: options.redis,
      prefix: options.keys.queuePrefix(options.lane),
      name: options.workerId,
      concurrency: options.concurrency,
      lockDuration: LOCK_DURATION_MS,
      lockRenewTime: LOCK_RENEW_MS,
      stalledInterval: STALLED_CHECK_MS,
      maxStalledCount: MAX_STARTS,
      removeOnComplete: { count: 0 },
      removeOnFail: { count: 0 },
      autorun: false,
    });
    this.worker.on('error', (error) => options.logger.warn({ lane: options.lane, error: error.message }, 'queue'));
    this.worker.on('lockRenewalFailed', (jobIds) => {
      for (const jobId of jobIds) this.running.get(jobId)?.abort(LOCK_LOST);
    });
  }

  start(): void {
    this.worker
      .run()
      .catch((error: unknown) => this.options.logger.error({ lane: this.options.lane, error: String(error) }, 'queue consumer ended'));
  }

  /** Fetches no more, and resolves when what runs has ended. */
  async drain(): Promise<void> {
    await this.worker.close();
  }

  /** Ends what still runs. The queue delivers it again once its lock has expired. */
  abandon(): void {
    for (const running of this.running.values()) running.abort(LOCK_LOST);
  }

  private async process(job: QueueJob<QueueEntry>, token: string | undefined): Promise<void> {
    const jobId = job.id ?? '';
    const aborter = new AbortController();
    this.running.set(jobId, aborter);
    try {
      const processed = await this.options.processor.process({ lane: this.options.lane, jobId, entry: job.data, signal: aborter.signal });
      if (processed === 'busy') {
        await job.moveToDelayed(Date.now() + BUSY_PAUSE_MS, token);
        throw new DelayedError();
      }
    } finally {
      this.running.delete(jobId);
    }
  }
}
