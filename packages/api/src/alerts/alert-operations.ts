import { ALERT_ID_PATTERN, ClusterError, isClusterError, type Logger, type Alert, type Config } from '@python3-cluster/shared';
import type { AlertStore } from './alert-store';
import { defineFeature } from '../operations/feature';
import { ok, parameterOf, type Handle } from '../operations/operation';
import type { RedisBreaker } from '../redis/redis-breaker';
import { acknowledgeAlert } from './acknowledge-alert';
import { toAlertView, type AlertView } from './alert-view';

interface AlertParts {
  readonly config: Pick<Config, 'alertRunbookUrl'>;
  readonly alerts: AlertStore;
  readonly breaker: RedisBreaker;
  readonly logger: Logger;
}

export const alertFeature = defineFeature({
  name: 'alerts',
  operations: {
    list: {
      method: 'get',
      path: '/api/v1/alerts',
      access: 'viewer',
      effect: 'read',
      answers: { 200: '`{"active": […], "recent": […]}`: [Alerts](alerts.md)' },
      errors: ['QUEUE_UNAVAILABLE'],
    },
    acknowledge: {
      method: 'post',
      path: '/api/v1/alerts/:id/acknowledge',
      access: 'operator',
      effect: 'change',
      answers: { 200: 'the alert' },
      errors: ['ALERT_NOT_FOUND', 'QUEUE_UNAVAILABLE'],
    },
  },
  create: (parts: AlertParts) => ({ list: listAlerts(parts), acknowledge: acknowledge(parts) }),
});

function listAlerts({ config, alerts, breaker }: AlertParts): Handle {
  return async () => {
    const [active, recent] = await orUnavailable(breaker, () => Promise.all([alerts.readActive(), alerts.readHistory()]));
    const standing = [...active.values()].map(({ alert }) => alert).sort((one, other) => other.startedAt - one.startedAt);
    const toView = (alert: Alert): AlertView => toAlertView(alert, config.alertRunbookUrl);
    return ok({ active: standing.map(toView), recent: recent.map(toView) });
  };
}

function acknowledge({ config, alerts, breaker, logger }: AlertParts): Handle {
  return async (call) => {
    const id = parameterOf(call, 'id');
    if (!ALERT_ID_PATTERN.test(id)) throw new ClusterError('ALERT_NOT_FOUND');
    const by = call.caller.keyId;
    const alert = await orUnavailable(breaker, () => acknowledgeAlert(alerts, id, by));
    logger.info({ event: 'alert', alertId: id, alert: alert.name, subject: alert.subject, state: alert.state, by }, 'alert acknowledged');
    return ok(toAlertView(alert, config.alertRunbookUrl));
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
