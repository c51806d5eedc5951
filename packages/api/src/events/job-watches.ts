import {
  listenOn,
  formatWatch, laneOfJobId, openOutput, WATCH_RENEW_MS,
  type KeyRing, type Logger, type OutputPosition, type RedisKeys,
} from '@python3-cluster/shared'; // prettier-ignore
import type { Redis } from 'ioredis';
import type { JobRecord, OutcomeStore } from '../dispatch/outcome-store';
import type { RedisBreaker } from '../redis/redis-breaker';
import type { JobReader } from './job-reader';
import { WatchedJob } from './watched-job';

export interface JobWatchesOptions {
  /** A connection of its own: a subscriber can do nothing else. */
  readonly subscriber: Redis;
  readonly redis: Redis;
  readonly keys: RedisKeys;
  readonly keyRing: KeyRing;
  readonly replicaId: string;
  readonly breaker: RedisBreaker;
  readonly store: OutcomeStore;
  readonly jaegerUiUrl: string;
  readonly logger: Logger;
}

const STOPPING = 'this replica is shutting down; connect again with Last-Event-ID';

/**
 * The jobs that callers of this replica watch; theory of operation in `shared/src/redis/output-watch.ts`. With nobody
 * watching, and while the breaker is open, Redis gets no command.
 */
export class JobWatches {
  private readonly options: JobWatchesOptions;
  private readonly jobs = new Map<string, WatchedJob>();
  /** Jobs of which a message was not believed, to say so once. */
  private readonly suspect = new Set<string>();
  private timer: NodeJS.Timeout | undefined;
  private isStopped = false;

  constructor(options: JobWatchesOptions) {
    this.options = options;
  }

  start(): void {
    const { subscriber, keys, replicaId, logger } = this.options;
    listenOn(subscriber, {
      channels: [keys.outputChannel(replicaId)],
      onMessage: (message) => this.handleMessage(message),
      onSubscribed: () => this.renew(),
      logger,
    });
    this.timer = setInterval(() => this.renew(), WATCH_RENEW_MS);
  }

  /** Ends every stream; its caller may go on at another replica. */
  stop(): void {
    this.isStopped = true;
    clearInterval(this.timer);
    for (const job of this.jobs.values()) job.endAll(STOPPING);
  }

  /** `record`: the job as it was a moment ago. */
  watch(reader: JobReader, record: JobRecord): void {
    if (this.isStopped) return reader.end(STOPPING);
    const jobId = record.job.id;
    const job = this.jobs.get(jobId) ?? this.createJob(jobId);
    this.jobs.set(jobId, job);
    job.add(reader, record);
  }

  goOn(reader: JobReader, jobId: string): void {
    this.jobs.get(jobId)?.goOn(reader);
  }

  unwatch(reader: JobReader, jobId: string): void {
    const job = this.jobs.get(jobId);
    job?.remove(reader);
    if (job?.isUnwatched !== true) return;
    this.jobs.delete(jobId);
    this.suspect.delete(jobId);
  }

  private createJob(jobId: string): WatchedJob {
    return new WatchedJob({
      readRecord: () => this.options.store.readRecord(jobId),
      ask: (position, worker) => void this.ask(jobId, position, worker),
      jaegerUiUrl: this.options.jaegerUiUrl,
    });
  }

  private renew(): void {
    for (const job of this.jobs.values()) job.renew();
  }

  private async ask(jobId: string, position: OutputPosition, worker: string | undefined): Promise<void> {
    const { redis, keys, replicaId, breaker } = this.options;
    const text = formatWatch({ jobId, replicaId, position });
    try {
      const heard = worker === undefined ? 0 : await breaker.run(() => redis.publish(keys.nodeWatchChannel(worker), text));
      // Nobody there any more: another node may run it by now.
      if (heard === 0) await breaker.run(() => redis.publish(keys.watchChannel(laneOfJobId(jobId) ?? ''), text));
    } catch {
      // Redis is away; the next renewal asks again.
    }
  }

  private handleMessage(message: Buffer): void {
    const end = message.indexOf(0x0a);
    const jobId = message.toString('latin1', 0, Math.max(end, 0));
    const job = this.jobs.get(jobId);
    if (job === undefined) return;
    const output = openOutput(this.options.keyRing, jobId, message.subarray(end + 1));
    if (output !== undefined) return job.hear(output);
    if (this.suspect.has(jobId)) return;
    this.suspect.add(jobId);
    this.options.logger.error({ event: 'security', jobId }, 'output that no worker node signed was ignored');
  }
}
