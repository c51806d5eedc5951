import type { AlertStore } from '../alerts/alert-store';
import { readLegacyAlerts } from '../alerts/legacy-alerts';
import type { Authenticator } from '../auth/authenticator';
import { requireRole } from '../auth/require-role';
import type { RedisBreaker } from '../dispatch/redis-breaker';
import { refuseQuery } from '../requests/refuse-query';
import { sendJson } from '../responses/send-json';
import { orUnavailable } from '../routes/alert-routes';
import type { Route } from '../routes/route';
import { LEGACY_BASE } from './legacy-envelope';

export interface LegacyAlertRouteOptions {
  readonly authenticator: Authenticator;
  readonly alerts: AlertStore;
  readonly breaker: RedisBreaker;
}

/** The predecessor's list of alerts: those it knew, with its members, and `alertId` for its client. */
export function createLegacyAlertRoutes({ authenticator, alerts, breaker }: LegacyAlertRouteOptions): Route[] {
  return [
    {
      method: 'get',
      path: `${LEGACY_BASE}/metrics/alerts`,
      handlers: [
        refuseQuery,
        requireRole(authenticator, 'viewer'),
        async (_request, response) => {
          const listed = await orUnavailable(breaker, () => readLegacyAlerts(alerts));
          const views = listed.map((alert) => ({ ...alert, alertId: alert.alert_id }));
          sendJson(response, 200, { success: true, alerts: views, count: views.length });
        },
      ],
    },
  ];
}
