import { listenOn, openOutcome, REPLY_CHECK_MS, type KeyRing, type Logger } from '@python3-cluster/shared';
import type { Redis } from 'ioredis';
import { ExpectedReply } from './expected-reply';
import type { OutcomeStore } from './outcome-store';

export interface ReplyChannelOptions {
  /** A connection of its own: a subscriber can do nothing else. */
  readonly subscriber: Redis;
  readonly channel: string;
  readonly keyRing: KeyRing;
  readonly store: OutcomeStore;
  readonly logger: Logger;
}

/**
 * How callers that wait hear of outcomes.
 *
 *   worker node ── writes outcome ──▶ record            the truth
 *        └──────── publishes it ────▶ this channel      the short cut: one message, no look-up
 *
 * Redis may drop messages, and large outcomes are announced without their content. So the record is looked up as well:
 * on such an announcement, whenever the subscription is made anew, every `REPLY_CHECK_MS` for those who have waited that
 * long, and at each caller's deadline. A message that is not signed by a worker node of this cluster is not believed.
 */
export class ReplyChannel {
  private readonly options: ReplyChannelOptions;
  private readonly waiting = new Map<string, ExpectedReply>();
  private timer: NodeJS.Timeout | undefined;
  private isChecking = false;

  constructor(options: ReplyChannelOptions) {
    this.options = options;
  }

  start(): void {
    const { subscriber, channel, logger } = this.options;
    listenOn(subscriber, {
      channels: [channel],
      onMessage: (message) => this.handleMessage(message),
      onSubscribed: () => void this.check([...this.waiting.values()]),
      logger,
    });
    this.timer = setInterval(() => void this.checkLongWaiting(), REPLY_CHECK_MS);
  }

  /** Lets go of everyone who still waits, as if their deadline had come. */
  stop(): void {
    clearInterval(this.timer);
    for (const reply of this.waiting.values()) reply.giveUp();
  }

  /** `onCancel`: told when its caller waits no longer. Call it before the job is queued: its outcome may be quicker than the confirmation. */
  expect(jobId: string, onCancel: () => void = () => undefined): ExpectedReply {
    const reply = new ExpectedReply(jobId, {
      lookUp: () => this.options.store.readOutcome(jobId),
      onCancel: () => {
        this.waiting.delete(jobId);
        onCancel();
      },
    });
    this.waiting.set(jobId, reply);
    return reply;
  }

  private handleMessage(message: Buffer): void {
    const end = message.indexOf(0x0a);
    const reply = this.waiting.get(message.toString('latin1', 0, Math.max(end, 0)));
    if (reply === undefined) return;
    const sealed = message.subarray(end + 1);
    const parts = sealed.length === 0 ? undefined : openOutcome(this.options.keyRing, reply.jobId, sealed);
    if (parts !== undefined) return reply.settle(parts);
    if (sealed.length > 0) {
      this.options.logger.error(
        { event: 'security', errorCode: 'OUTCOME_UNVERIFIED', jobId: reply.jobId },
        'a reply that no worker node signed was ignored',
      );
    }
    void this.check([reply]);
  }

  private async checkLongWaiting(): Promise<void> {
    const longWaiting = [...this.waiting.values()].filter((reply) => reply.waitedMs >= REPLY_CHECK_MS);
    if (longWaiting.length === 0 || this.isChecking) return;
    this.isChecking = true;
    await this.check(longWaiting);
    this.isChecking = false;
  }

  /** The look-ups of one turn travel as one pipeline. */
  private async check(replies: readonly ExpectedReply[]): Promise<void> {
    await Promise.all(replies.map((reply) => reply.check()));
  }
}
