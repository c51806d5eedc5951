import type { Redis } from 'ioredis';
import { listenOn, CANCEL_LOOK_MS, LimitedWarning, within, type ClaimVerdict, type Logger, type RedisKeys } from '@python3-cluster/shared';

/** A lane this node serves, as far as cancelling goes. */
export interface CancellableLane {
  readonly lane: string;
  /** Ends the job if this node runs it. To be called only where the record says that this was asked for. */
  readonly cancel: (jobId: string) => void;
  /** Asks the record; gives the job its outcome if nobody runs it. */
  readonly settle: (jobId: string) => Promise<ClaimVerdict>;
}

export interface CancelWatchOptions {
  /** A subscriber can do nothing else; other channels may be heard through it, too. It ends with this watch. */
  readonly subscriber: Redis;
  readonly redis: Redis;
  readonly keys: RedisKeys;
  readonly lanes: readonly CancellableLane[];
  readonly logger: Logger;
}

/** A Redis that goes away under way must not keep the node from stopping; another node settles what is left. */
const SETTLE_MS = 2_000;

/** Verdicts that are given only where the record has the request. With the latter two this node's run is fenced off already. */
const ASKED_FOR: readonly ClaimVerdict[] = ['running', 'cancel', 'claimed'];

/** More than this wait for the next look: a look must not hold up what else the node does. */
const MOST_PER_LOOK = 1_000;

/**
 * How a worker node hears of cancellations: by message, at once; and by a look into each lane's list of cancellations
 * without outcome, every `CANCEL_LOOK_MS`, as Redis may drop messages and nodes go down. Neither is believed: both only name
 * a job whose record is then asked.
 */
export class CancelWatch {
  private readonly options: CancelWatchOptions;
  private readonly lanes: ReadonlyMap<string, CancellableLane>;
  private readonly pending = new Set<Promise<void>>();
  private timer: NodeJS.Timeout | undefined;
  private isLooking = false;
  private isStopped = false;
  private readonly warning: LimitedWarning;

  constructor(options: CancelWatchOptions) {
    this.options = options;
    this.warning = new LimitedWarning(options.logger);
    this.lanes = new Map(options.lanes.map((lane) => [options.keys.cancelChannel(lane.lane), lane]));
  }

  start(): void {
    const { subscriber, logger } = this.options;
    const onMessage = (jobId: Buffer, channel: string): void => {
      const lane = this.lanes.get(channel);
      if (lane !== undefined) this.handle(lane, jobId.toString());
    };
    listenOn(subscriber, { channels: this.lanes.keys(), onMessage, logger });
    this.timer = setInterval(() => void this.look(), CANCEL_LOOK_MS);
  }

  /** Hears of no more, and resolves when what it has begun is done. */
  async stop(): Promise<void> {
    this.isStopped = true;
    clearInterval(this.timer);
    this.options.subscriber.disconnect();
    if (this.options.redis.status === 'ready') await within(SETTLE_MS, Promise.all(this.pending), 'Redis').catch(() => undefined);
  }

  private async look(): Promise<void> {
    const { redis, keys, logger } = this.options;
    if (this.isLooking || redis.status !== 'ready') return;
    this.isLooking = true;
    try {
      for (const lane of this.lanes.values()) {
        const jobIds = await redis.zrange(keys.cancels(lane.lane), 0, `${MOST_PER_LOOK - 1}`);
        for (const jobId of jobIds) this.handle(lane, jobId);
        await Promise.all(this.pending);
      }
    } catch (error) {
      logger.debug({ error: String(error) }, 'cancellations not looked up');
    } finally {
      this.isLooking = false;
    }
  }

  private handle(lane: CancellableLane, jobId: string): void {
    if (this.isStopped) return;
    const settled = this.settle(lane, jobId);
    this.pending.add(settled);
    void settled.finally(() => this.pending.delete(settled));
  }

  private async settle(lane: CancellableLane, jobId: string): Promise<void> {
    try {
      if (ASKED_FOR.includes(await lane.settle(jobId))) lane.cancel(jobId);
    } catch (error) {
      this.warning.warn({ error: String(error) }, 'cancelled jobs were not settled; it is tried again');
    }
  }
}
