import { readLegacyAlerts } from '../alerts/legacy-alerts';
import { orUnavailable } from '../alerts/alert-operations';
import { defineFeature } from '../core/feature';
import { ok } from '../core/operation';
import { LEGACY_BASE } from './legacy-envelope';

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
  create: ({ alerts, breaker }) => ({
    list: async () => {
      const listed = await orUnavailable(breaker, () => readLegacyAlerts(alerts));
      const views = listed.map((alert) => ({ ...alert, alertId: alert.alert_id }));
      return ok({ success: true, alerts: views, count: views.length });
    },
  }),
});
