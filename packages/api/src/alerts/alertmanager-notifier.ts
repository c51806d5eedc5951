import type { Alert, Logger } from '@python3-cluster/shared';
import { alertDefinition, runbookOf } from '@python3-cluster/shared';
import type { Term } from '../cluster/elected-replica';
import type { AlertStore } from './alert-store';
import { postJson } from './post-json';

export interface AlertmanagerNotifierOptions {
  /** Without `/api/v2/alerts`; '': there is none. */
  readonly url: string;
  readonly cluster: string;
  readonly runbookUrl: string;
  readonly store: AlertStore;
  readonly logger: Logger;
}

/** Alertmanager ends what it does not hear of until its `endsAt`; so what fires is sent anew well before. As Prometheus does it. */
export const RESEND_MS = 60_000;
export const ENDS_AFTER_MS = 4 * RESEND_MS;
/** What has ended is sent for as long, should a message be lost. */
export const RESOLVED_FOR_MS = 15 * 60_000;
const MOST_PER_MESSAGE = 64;

/** As Alertmanager's v2 API takes it. */
export interface PostableAlert {
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  /** RFC 3339. */
  readonly startsAt: string;
  readonly endsAt: string;
}

/**
 * Keeps Alertmanager informed. It takes states, not steps: what stands and what has ended lately is sent whenever that changes,
 * and every minute. So nothing need be remembered, and whoever is elected next goes on.
 */
export class AlertmanagerNotifier {
  private readonly options: AlertmanagerNotifierOptions;
  private lastSent = '';
  private resendAt = -Infinity;
  private failures = 0;

  constructor(options: AlertmanagerNotifierOptions) {
    this.options = options;
  }

  async pass({ signal }: Pick<Term, 'signal'>): Promise<void> {
    const { url, store, cluster, runbookUrl, logger } = this.options;
    if (url === '') return;
    const now = Date.now();
    const [active, ended] = await Promise.all([store.readActive(), store.readHistory()]);
    const alerts = latestOfEach([
      ...[...active.values()].map(({ alert }) => alert),
      ...ended.filter(({ resolvedAt = 0 }) => now - resolvedAt <= RESOLVED_FOR_MS),
    ]);
    const state = alerts.map(({ id, resolvedAt = 0 }) => `${id} ${resolvedAt}`).join('\n');
    if (alerts.length === 0 || (state === this.lastSent && performance.now() < this.resendAt)) return;
    if (this.failures > 0 && performance.now() < this.resendAt) return;
    const reason = await this.send(alerts.map((alert) => toPostable(alert, { cluster, runbookUrl }, now)), signal);
    if (reason === undefined) {
      this.failures = 0;
      this.lastSent = state;
      this.resendAt = performance.now() + RESEND_MS;
      return;
    }
    if (signal.aborted) return;
    this.failures += 1;
    this.resendAt = performance.now() + Math.min(RESEND_MS / 2, 1_000 * 2 ** this.failures);
    logger.warn({ event: 'alertmanager', reason, failures: this.failures }, 'Alertmanager could not be told; it is tried again');
  } // prettier-ignore

  /** Answers why it failed. */
  private async send(alerts: readonly PostableAlert[], signal: AbortSignal): Promise<string | undefined> {
    const target = new URL(this.options.url);
    target.pathname = `${target.pathname.replace(/\/+$/, '')}/api/v2/alerts`;
    for (let start = 0; start < alerts.length; start += MOST_PER_MESSAGE) {
      const body = Buffer.from(JSON.stringify(alerts.slice(start, start + MOST_PER_MESSAGE)));
      const answer = await postJson(target.href, body, { signal });
      if (!answer.ok) return answer.reason;
    }
    return undefined;
  }
}

/** Of one name and subject, what is newest: it has the same labels, and would else end what fires again. */
function latestOfEach(alerts: readonly Alert[]): Alert[] {
  const latest = new Map<string, Alert>();
  for (const alert of alerts) {
    const key = `${alert.name} ${alert.subject}`;
    const known = latest.get(key);
    if (known === undefined || known.startedAt < alert.startedAt) latest.set(key, alert);
  }
  return [...latest.values()];
}

/** Labels are what Alertmanager knows an alert by, so nothing that changes stands there. */
export function toPostable(
  alert: Alert,
  { cluster, runbookUrl }: Pick<AlertmanagerNotifierOptions, 'cluster' | 'runbookUrl'>,
  now: number,
): PostableAlert {
  const { name, subject, severity, message, startedAt, resolvedAt } = alert;
  const { subject: about, advice } = alertDefinition(name);
  return {
    labels: { alertname: name, severity: severity.toLowerCase(), cluster, ...(about === null ? {} : { [about]: subject }) },
    annotations: { summary: message, description: advice, runbook_url: runbookOf(name, runbookUrl), alert_id: alert.id },
    startsAt: new Date(startedAt).toISOString(),
    endsAt: new Date(resolvedAt ?? now + ENDS_AFTER_MS).toISOString(),
  };
}
