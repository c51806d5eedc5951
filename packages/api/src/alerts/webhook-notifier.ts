import type { AlertDelivery, Logger, WebhookFormat } from '@python3-cluster/shared';
import type { Term } from '../cluster/elected-replica';
import type { AlertStore } from './alert-store';
import { postJson } from './post-json';
import { formatDelivery, type WebhookTools } from './webhook-formats';

export interface WebhookNotifierOptions {
  /** '': there is none. */
  readonly url: string;
  readonly format: WebhookFormat;
  /** Redis key of the steps that it has not been told of. */
  readonly outbox: string;
  readonly tools: WebhookTools;
  readonly store: AlertStore;
  readonly logger: Logger;
  /** Shorter ones, for tests. */
  readonly backoffMs?: readonly [first: number, longest: number];
}

const BACKOFF_MS = [1_000, 60_000] as const;
/** After this long a step is old news: it is given up, and the next one has its turn. */
export const GIVE_UP_MS = 3_600_000;
/** Answers that will not change by asking again. */
const REFUSALS_UNTIL_GIVEN_UP = 3;
const MOST_PER_PASS = 100;

/**
 * Tells a webhook of each step of each alert, in order, at least once: a step leaves the outbox once the receiver has
 * answered 2xx. If the replica goes down in between, the next one sends it again, under the same delivery id.
 */
export class WebhookNotifier {
  private readonly options: WebhookNotifierOptions;
  private notBefore = 0;
  private attempts = 0;
  private refusals = 0;

  constructor(options: WebhookNotifierOptions) {
    this.options = options;
  }

  async pass({ signal }: Pick<Term, 'signal'>): Promise<void> {
    const { url, outbox, store } = this.options;
    if (url === '') return;
    for (let count = 0; count < MOST_PER_PASS && !signal.aborted && performance.now() >= this.notBefore; count += 1) {
      const next = await store.readDelivery(outbox);
      if (next === undefined) return;
      const isDone = await this.deliver(next.delivery, signal);
      if (isDone) await store.removeDelivery(outbox, next.sealed);
    }
  }

  /** Whether it need not be sent again. */
  private async deliver(delivery: AlertDelivery, signal: AbortSignal): Promise<boolean> {
    const { url, format, tools, logger } = this.options;
    const { body, headers } = formatDelivery(format, delivery, tools);
    this.attempts += 1;
    const answer = await postJson(url, body, { signal, headers });
    if (answer.ok) return this.forget();
    if (signal.aborted) return false;
    this.refusals += answer.isFinal ? 1 : 0;
    const fields = { deliveryId: delivery.id, attempts: this.attempts, reason: answer.reason };
    if (this.refusals >= REFUSALS_UNTIL_GIVEN_UP || Date.now() - delivery.at > GIVE_UP_MS) {
      logger.error({ event: 'alert-webhook', ...fields }, 'the webhook does not take a step of an alert; it is given up');
      return this.forget();
    }
    logger.warn({ event: 'alert-webhook', ...fields }, 'the webhook could not be told of a step of an alert; it is sent again');
    const [first, longest] = this.options.backoffMs ?? BACKOFF_MS;
    this.notBefore = performance.now() + Math.min(longest, first * 2 ** (this.attempts - 1)) * (0.5 + Math.random() / 2);
    return false;
  }

  private forget(): true {
    this.attempts = 0;
    this.refusals = 0;
    this.notBefore = 0;
    return true;
  }
}
