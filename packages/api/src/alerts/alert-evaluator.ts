import {
  ALERT_NAMES, alertDefinition, alertInstance, createAlertId, wellAgain,
  type Alert, type AlertOccurrence, type Logger,
} from '@python3-cluster/shared'; // prettier-ignore
import type { Term } from '../cluster/elected-replica';
import { findAll, type AlertThresholds, type Finding } from './alert-conditions';
import type { AlertSignals } from './alert-signals';
import type { AlertStore, StoredAlert } from './alert-store';

export interface AlertEvaluatorOptions {
  readonly store: AlertStore;
  readonly thresholds: AlertThresholds;
  /** How long a condition must be over. */
  readonly clearMs: number;
  readonly readSignals: () => Promise<AlertSignals>;
  readonly logger: Logger;
}

/** How often an alert that stands is written anew, so that the next replica knows until when it was true. */
const TOUCH_MS = 5_000;
/** The predecessor listed an alert anew after a minute, and for five. */
export const OCCURRENCE_MS = 60_000;
export const LISTED_MS = 300_000;

/**
 * Compares what is true with what stands, and makes the steps between. What it knows stands in Redis alone: another replica
 * goes on where this one was, and two at a time take no step twice (`alert-store.ts`).
 */
export class AlertEvaluator {
  private readonly options: AlertEvaluatorOptions;
  /** Instances whose condition is true and whose grace is not over: since when. A replica that takes over begins anew. */
  private pending = new Map<string, number>();

  constructor(options: AlertEvaluatorOptions) {
    this.options = options;
  }

  async pass({ claim, signal }: Pick<Term, 'claim' | 'signal'>): Promise<void> {
    const { store, thresholds, readSignals } = this.options;
    const active = await store.readActive();
    const signals = await readSignals();
    const standing = [...active.values()].map(({ alert }) => alert);
    const findings = new Map(findAll(signals, thresholds, standing).map((finding) => [alertInstance(finding), finding]));
    this.pending = new Map([...findings.keys()].map((instance) => [instance, this.pending.get(instance) ?? signals.now]));
    for (const [instance, finding] of findings) {
      if (signal.aborted) return;
      await this.keep(claim, active.get(instance), finding, signals.now);
    }
    for (const [instance, stored] of active) {
      if (signal.aborted) return;
      if (!findings.has(instance)) await this.clear(claim, stored, signals.now);
    }
  }

  private async keep(claim: string, stored: StoredAlert | undefined, finding: Finding, now: number): Promise<void> {
    const { store, logger } = this.options;
    if (stored === undefined) {
      if (now - (this.pending.get(alertInstance(finding)) ?? now) < this.graceMsOf(finding)) return;
      const alert = begin(finding, now);
      if (await store.step(claim, undefined, alert)) logger.warn({ event: 'alert', ...forLog(alert) }, alert.message);
      return;
    }
    const { alert } = stored;
    if (now - alert.lastTrueAt < TOUCH_MS) return;
    const { message, value } = finding;
    const occurrences = addOccurrence(alert.occurrences, { at: now, message });
    await store.step(claim, stored, { ...alert, message, value, lastTrueAt: now, occurrences });
  }

  private graceMsOf({ name }: Finding): number {
    const { grace } = alertDefinition(name);
    return grace === undefined ? 0 : this.options.thresholds[grace] * 1_000;
  }

  private async clear(claim: string, stored: StoredAlert, now: number): Promise<void> {
    const { store, clearMs, logger } = this.options;
    const { alert } = stored;
    const isKnown = ALERT_NAMES.includes(alert.name);
    if (isKnown && now - alert.lastTrueAt < clearMs) return;
    const message = isKnown ? wellAgain(alert.name, alert.subject) : alert.message;
    const resolved: Alert = { ...alert, state: 'resolved', message, resolvedAt: now };
    if (await store.step(claim, stored, resolved)) logger.info({ event: 'alert', ...forLog(resolved) }, `resolved: ${message}`);
  }
}

function begin({ name, subject, message, value }: Finding, now: number): Alert {
  const { severity } = alertDefinition(name);
  const occurrences = [{ at: now, message }];
  return {
    version: 1, id: createAlertId(), name, subject, severity, state: 'firing', message, value, startedAt: now, lastTrueAt: now, occurrences,
  }; // prettier-ignore
}

/** Each minute of its being true adds one; those older than five are dropped. */
function addOccurrence(known: readonly AlertOccurrence[], next: AlertOccurrence): readonly AlertOccurrence[] {
  const isDue = next.at - (known.at(-1)?.at ?? 0) >= OCCURRENCE_MS;
  return (isDue ? [...known, next] : known).filter(({ at }) => next.at - at <= LISTED_MS);
}

/** Not `value`: what is called so is redacted in logs, as it may be a job’s. */
const forLog = ({ id, name, subject, state, severity, value }: Alert): object => ({
  alertId: id,
  alert: name,
  subject,
  state,
  severity,
  measured: value,
});
