import { ALERT_ID_PATTERN, ClusterError, isClusterError, type Alert, type Config, type Logger } from '@python3-cluster/shared';
import type { RequestHandler } from 'express';
import { acknowledgeAlert } from '../alerts/acknowledge-alert';
import type { AlertStore } from '../alerts/alert-store';
import { toAlertView, type AlertView } from '../alerts/alert-view';
import type { Authenticator } from '../auth/authenticator';
import { callerOf, requireRole } from '../auth/require-role';
import type { RedisBreaker } from '../dispatch/redis-breaker';
import { refuseQuery } from '../requests/refuse-query';
import { sendJson } from '../responses/send-json';
import type { Route } from './route';

export interface AlertRouteOptions {
  readonly authenticator: Authenticator;
  readonly config: Pick<Config, 'alertRunbookUrl'>;
  readonly alerts: AlertStore;
  readonly breaker: RedisBreaker;
  readonly logger: Logger;
}

export function createAlertRoutes(options: AlertRouteOptions): Route[] {
  const { authenticator } = options;
  return [
    { method: 'get', path: '/api/v1/alerts', handlers: [refuseQuery, requireRole(authenticator, 'viewer'), listAlerts(options)] },
    {
      method: 'post',
      path: '/api/v1/alerts/:id/acknowledge',
      handlers: [refuseQuery, requireRole(authenticator, 'operator'), acknowledge(options)],
    },
  ];
}

function listAlerts({ config, alerts, breaker }: AlertRouteOptions): RequestHandler {
  return async (_request, response) => {
    const [active, recent] = await orUnavailable(breaker, () => Promise.all([alerts.readActive(), alerts.readHistory()]));
    const standing = [...active.values()].map(({ alert }) => alert).sort((one, other) => other.startedAt - one.startedAt);
    const toView = (alert: Alert): AlertView => toAlertView(alert, config.alertRunbookUrl);
    sendJson(response, 200, { active: standing.map(toView), recent: recent.map(toView) });
  };
}

function acknowledge({ config, alerts, breaker, logger }: AlertRouteOptions): RequestHandler {
  return async (request, response) => {
    const id = String(request.params['id']);
    if (!ALERT_ID_PATTERN.test(id)) throw new ClusterError('ALERT_NOT_FOUND');
    const by = callerOf(response).keyId;
    const alert = await orUnavailable(breaker, () => acknowledgeAlert(alerts, id, by));
    logger.info({ event: 'alert', alertId: id, alert: alert.name, subject: alert.subject, state: alert.state, by }, 'alert acknowledged');
    sendJson(response, 200, toAlertView(alert, config.alertRunbookUrl));
  };
}

/** @throws ClusterError QUEUE_UNAVAILABLE where Redis is away, and those of the command */
export async function orUnavailable<T>(breaker: RedisBreaker, command: () => Promise<T>): Promise<T> {
  try {
    return await breaker.run(command);
  } catch (error) {
    if (isClusterError(error)) throw error;
    throw new ClusterError('QUEUE_UNAVAILABLE', 'Redis cannot be reached; alerts cannot be looked at.', { cause: error });
  }
}
