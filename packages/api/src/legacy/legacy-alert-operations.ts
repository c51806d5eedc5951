import { readLegacyAlerts } from '../alerts/legacy-alerts';
import { orUnavailable } from '../alerts/alert-operations';
import { defineFeature } from '../operations/feature';
import { ok } from '../operations/operation';
import type { AlertStore } from '../alerts/alert-store';
import type { RedisBreaker } from '../redis/redis-breaker';
import { LEGACY_BASE } from './legacy-envelope';

export interface LegacyAlertParts {
  readonly alerts: AlertStore;
  readonly breaker: RedisBreaker;
}

/** The predecessor's list of alerts: those it knew, with its members, and `alertId` for its client. */
export const legacyAlertFeature = defineFeature({
  name: 'legacy-alerts',
  operations: {
    list: {
      method: 'get',
      path: `${LEGACY_BASE}/metrics/alerts`,
      access: 'viewer',
      effect: 'read',
      answers: { 200: '`alerts` (its three names, of the last 5 minutes: `timestamp`, `alert_id`, `message`, `severity`), `count`' },
      errors: ['QUEUE_UNAVAILABLE'],
    },
  },
  create: ({ alerts, breaker }: LegacyAlertParts) => ({
    list: async () => {
      const listed = await orUnavailable(breaker, () => readLegacyAlerts(alerts));
      const views = listed.map((alert) => ({ ...alert, alertId: alert.alert_id }));
      return ok({ success: true, alerts: views, count: views.length });
    },
  }),
});
