import type { AlertEvents, Config, Logger, RedisKeys, WebhookFormat } from '@python3-cluster/shared';
import type { ElectedReplica, TermTask } from '../cluster/elected-replica';
import type { WorkerRegistry } from '../cluster/worker-registry';
import type { RedisBreaker } from '../redis/redis-breaker';
import { AlertEvaluator } from './alert-evaluator';
import { AlertStore } from './alert-store';
import { AlertmanagerNotifier } from './alertmanager-notifier';
import { LoadWindow } from './load-window';
import { readSignals, type SignalsReaderOptions } from './alert-signals';
import { WebhookNotifier } from './webhook-notifier';

export interface AlertingParts extends Omit<SignalsReaderOptions, 'load' | 'ownName'> {
  readonly config: Config;
  readonly elected: ElectedReplica;
  readonly events: AlertEvents;
  readonly logger: Logger;
}

export interface Alerting {
  readonly store: AlertStore;
  readonly start: () => void;
  readonly stop: () => void;
}

/** Between two passes; a lease is five seconds, so after a replica's death it takes up to seven. */
const EVALUATE_MS = 2_000;
const NOTIFY_MS = 1_000;

/**
 * Alerts of one replica, of which the elected one is at work:
 *
 *   figures, registry, events, quarantine ─▶ conditions ─▶ evaluator ─one step─▶ alerts + outbox in Redis
 *                                                                                 │          │
 *                                            routes ◀── state ── Alertmanager ◀───┘          └──▶ webhook
 */
export function createAlerting(parts: AlertingParts): Alerting {
  const { config, redis, keys, keyRing, breaker, registry, elected, events, logger } = parts;
  const { alertmanagerUrl, namespace: cluster } = config;
  const targets = webhooksOf(config, keys);
  const store = new AlertStore({ redis, keys, keyRing, outboxes: targets.map(({ outbox }) => outbox) });
  const load = new LoadWindow();
  const signals = { ...parts, load, ownName: config.nodeName };
  const clearMs = config.alertClearSeconds * 1_000;
  const evaluator = new AlertEvaluator({ store, thresholds: config, clearMs, readSignals: () => readSignals(signals), logger });
  const tools = { cluster, keyRing, runbookUrl: config.alertRunbookUrl, routingKey: config.alertPagerdutyKey };
  const webhooks = targets.map((target) => new WebhookNotifier({ ...target, tools, store, logger }));
  const alertmanager = new AlertmanagerNotifier({ url: alertmanagerUrl, cluster, runbookUrl: config.alertRunbookUrl, store, logger });
  /** An open breaker means no command, whoever is elected. */
  const whileClosed =
    (task: TermTask): TermTask =>
    (term) =>
      breaker.state === 'closed' ? task(term) : Promise.resolve();
  elected.onTick(
    'alerts',
    EVALUATE_MS,
    whileClosed((term) => evaluator.pass(term)),
  );
  for (const webhook of webhooks) {
    elected.onTick(
      'alert webhook',
      NOTIFY_MS,
      whileClosed((term) => webhook.pass(term)),
    );
  }
  elected.onTick(
    'alertmanager',
    NOTIFY_MS,
    whileClosed((term) => alertmanager.pass(term)),
  );
  let sampling: NodeJS.Timeout | undefined;
  return {
    store,
    start: () => {
      reportBreaker(breaker, events, config.nodeName);
      sampling = setInterval(() => load.add(utilizationOf(registry)), EVALUATE_MS);
    },
    stop: () => {
      clearInterval(sampling);
      events.stop();
    },
  };
}

/** Each with an outbox of its own, so that one that does not answer holds up no other. */
function webhooksOf(config: Config, keys: RedisKeys): { url: string; format: WebhookFormat; outbox: string }[] {
  return [
    { url: config.alertWebhookUrl, format: config.alertWebhookFormat, outbox: keys.alertOutbox },
    { url: config.alertWebhook2Url, format: config.alertWebhook2Format, outbox: keys.alertOutbox2 },
    { url: config.alertWebhook3Url, format: config.alertWebhook3Format, outbox: keys.alertOutbox3 },
  ].filter(({ url }) => url !== '');
}

function utilizationOf(registry: WorkerRegistry): number {
  const pools = registry.liveWorkers().map(({ pool }) => pool);
  const max = pools.reduce((sum, pool) => sum + pool.max, 0);
  return max === 0 ? 0 : Math.min(1, pools.reduce((sum, pool) => sum + pool.inUse, 0) / max);
}

/** Told when it is over: before, there is no Redis to tell it to. */
function reportBreaker(breaker: RedisBreaker, events: AlertEvents, ownName: string): void {
  let openedAt: number | undefined;
  breaker.on('open', () => (openedAt ??= performance.now()));
  breaker.on('close', () => {
    const seconds = Math.ceil((performance.now() - (openedAt ?? performance.now())) / 1_000);
    openedAt = undefined;
    events.report('BREAKER_OPEN', ownName, `for ${seconds} s`);
  });
}
