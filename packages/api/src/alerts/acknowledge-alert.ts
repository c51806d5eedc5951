import { ClusterError, type Alert } from '@python3-cluster/shared';
import type { AlertStore } from './alert-store';

/** The evaluator may write the alert at the same moment; it does so every few seconds. */
const TRIES = 5;

/** Notes that somebody sees to an alert. Whoever comes second finds it so. @throws ClusterError ALERT_NOT_FOUND */
export async function acknowledgeAlert(store: AlertStore, alertId: string, by: string): Promise<Alert> {
  for (let attempt = 0; attempt < TRIES; attempt += 1) {
    const stored = [...(await store.readActive()).values()].find(({ alert }) => alert.id === alertId);
    if (stored === undefined) throw new ClusterError('ALERT_NOT_FOUND');
    if (stored.alert.state === 'acknowledged') return stored.alert;
    const acknowledged: Alert = { ...stored.alert, state: 'acknowledged', acknowledgedAt: Date.now(), acknowledgedBy: by };
    if (await store.step('', stored, acknowledged)) return acknowledged;
  }
  throw new ClusterError('INTERNAL', 'The alert keeps changing; try again.');
}
