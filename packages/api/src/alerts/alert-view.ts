import { alertDefinition, runbookOf, type Alert } from '@python3-cluster/shared';

/** An alert as callers and webhooks get it. */
// A type, not an interface: those do not pass for JSON values.
export type AlertView = {
  readonly id: string;
  readonly name: string;
  /** null: the cluster. */
  readonly subject: string | null;
  readonly severity: string;
  readonly state: string;
  readonly message: string;
  readonly value: number | null;
  readonly startedAt: number;
  readonly lastTrueAt: number;
  readonly acknowledgedAt: number | null;
  readonly acknowledgedBy: string | null;
  readonly resolvedAt: number | null;
  /** What to do. */
  readonly advice: string;
  /** Its page: an address, or the path in the repository. */
  readonly runbook: string;
};

export function toAlertView(alert: Alert, runbookUrl: string): AlertView {
  const { id, name, subject, severity, state, message, value, startedAt, lastTrueAt } = alert;
  return {
    id,
    name,
    subject: subject === '' ? null : subject,
    severity,
    state,
    message,
    value,
    startedAt,
    lastTrueAt,
    acknowledgedAt: alert.acknowledgedAt ?? null,
    acknowledgedBy: alert.acknowledgedBy ?? null,
    resolvedAt: alert.resolvedAt ?? null,
    advice: alertDefinition(name).advice,
    runbook: runbookOf(name, runbookUrl),
  };
}
