import { listenOn, type Logger, type RecordedSpan, type Tracing } from '@python3-cluster/shared';
import type { Redis } from 'ioredis';

export interface DeferredTracesOptions {
  /** A connection of its own: a subscriber can do nothing else. */
  readonly subscriber: Redis;
  readonly channel: string;
  readonly tracing: Tracing;
  readonly logger: Logger;
}

interface Deferred {
  readonly traceId: string;
  readonly spans: readonly RecordedSpan[];
}

/** Two spans each, a few megabytes together. */
export const MOST_KEPT = 5_000;
/** Announcements that came before their request has ended: a job may fail sooner than its 202 is on its way. */
const MOST_HEARD = 500;
const LONGEST_JOB_ID = 128;

/**
 * Spans of requests that nobody sampled and whose job's end they did not wait for. They are exported if a worker node says
 * that it has exported those of the job, within its allowance; else they are dropped, the oldest first.
 */
export class DeferredTraces {
  private readonly options: DeferredTracesOptions;
  private readonly kept = new Map<string, Deferred>();
  private readonly heard = new Set<string>();

  constructor(options: DeferredTracesOptions) {
    this.options = options;
  }

  start(): void {
    const { subscriber, channel, logger } = this.options;
    listenOn(subscriber, { channels: [channel], onMessage: (jobId) => this.hear(jobId.toString()), logger });
  }

  keep(jobId: string, traceId: string, spans: readonly RecordedSpan[]): void {
    if (this.heard.delete(jobId)) return this.options.tracing.exportUnsampled(traceId, spans);
    this.kept.set(jobId, { traceId, spans });
    if (this.kept.size > MOST_KEPT) dropOldest(this.kept);
  }

  /** Anybody who can write to Redis can say so: it tells nobody anything but what this replica would sample by chance. */
  private hear(jobId: string): void {
    const deferred = this.kept.get(jobId);
    if (deferred !== undefined) {
      this.kept.delete(jobId);
      return this.options.tracing.exportUnsampled(deferred.traceId, deferred.spans);
    }
    if (jobId.length > LONGEST_JOB_ID) return;
    this.heard.add(jobId);
    if (this.heard.size > MOST_HEARD) dropOldest(this.heard);
  }
}

function dropOldest(from: Map<string, unknown> | Set<string>): void {
  for (const oldest of from.keys()) {
    from.delete(oldest);
    return;
  }
}
