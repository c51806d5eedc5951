import { exactHttpUrl, httpUrl, integerBetween, matching, oneOf, option } from './option';

export const WEBHOOK_FORMATS = ['json', 'slack', 'teams', 'pagerduty'] as const;
export type WebhookFormat = (typeof WEBHOOK_FORMATS)[number];

/** Settings of alerts. A part of the option table. */
export const alertOptions = {
  alertPoolHighPercent: option({
    name: 'PYTHON3_ALERT_POOL_HIGH_PERCENT', parse: integerBetween(1, 100), default: 70, accepts: 'percent, 1 to 100',
    description: 'Share of all slots in use over a minute above which `POOL_UTILIZATION_HIGH` fires. Alerts: [Alerts](alerts.md); set their settings alike on all API replicas.',
  }),
  alertPoolCriticalPercent: option({
    name: 'PYTHON3_ALERT_POOL_CRITICAL_PERCENT', parse: integerBetween(1, 100), default: 90, accepts: 'percent, 1 to 100',
    description: 'The like for `POOL_UTILIZATION_CRITICAL`. Not below the former.',
  }),
  alertFailurePercent: option({
    name: 'PYTHON3_ALERT_FAILURE_PERCENT', parse: integerBetween(1, 100), default: 20, accepts: 'percent, 1 to 100',
    description: 'Share of runs of five minutes that failed above which `FAILURE_RATE_HIGH` fires.',
  }),
  alertFailureJobs: option({
    name: 'PYTHON3_ALERT_FAILURE_JOBS', parse: integerBetween(1, 1_000_000), default: 20, accepts: '1 to 1,000,000',
    description: 'Runs within five minutes below which neither that nor `P95_OVER_OBJECTIVE` fires: a few trial jobs say nothing, and of fewer than 20 there are no 5 %.',
  }),
  alertQueueAgeSeconds: option({
    name: 'PYTHON3_ALERT_QUEUE_AGE_SECONDS', parse: integerBetween(1, 604_800), default: 60, accepts: 'seconds, 1 to 604,800',
    description: 'Time a job that could start has waited above which `QUEUE_AGE_HIGH` fires.',
  }),
  alertQueueDepthPercent: option({
    name: 'PYTHON3_ALERT_QUEUE_DEPTH_PERCENT', parse: integerBetween(1, 100), default: 80, accepts: 'percent, 1 to 100',
    description: 'Share of `PYTHON3_QUEUE_MAX_JOBS` that waits in a lane from which on `QUEUE_DEPTH_HIGH` fires.',
  }),
  alertP95Ms: option({
    name: 'PYTHON3_ALERT_P95_MS', parse: integerBetween(0, 86_400_000), default: 5_000, accepts: 'ms, 0 to 86,400,000',
    description: 'Run time that 95 % of the runs of five minutes should keep below; else `P95_OVER_OBJECTIVE` fires. 0: never.',
  }),
  alertRedisMemoryPercent: option({
    name: 'PYTHON3_ALERT_REDIS_MEMORY_PERCENT', parse: integerBetween(1, 100), default: 80, accepts: 'percent, 1 to 100',
    description: 'Share of its `maxmemory` in use above which `REDIS_MEMORY_HIGH` fires.',
  }),
  alertDiskFreePercent: option({
    name: 'PYTHON3_ALERT_DISK_FREE_PERCENT', parse: integerBetween(0, 100), default: 10, accepts: 'percent, 0 to 100',
    description: 'Free share of the file system with a worker node’s run directory below which `WORKER_DISK_LOW` fires.',
  }),
  alertClockSkewMs: option({
    name: 'PYTHON3_ALERT_CLOCK_SKEW_MS', parse: integerBetween(10, 3_600_000), default: 1_000, accepts: 'ms, 10 to 3,600,000',
    description: 'Difference between a host’s clock and that of Redis above which `CLOCK_SKEW` fires.',
  }),
  alertClearSeconds: option({
    name: 'PYTHON3_ALERT_CLEAR_SECONDS', parse: integerBetween(1, 3_600), default: 60, accepts: 'seconds, 1 to 3,600',
    description: 'How long the condition of an alert must be over before it resolves; until then it does not fire again.',
  }),
  alertLaneGraceSeconds: option({
    name: 'PYTHON3_ALERT_LANE_GRACE_SECONDS', parse: integerBetween(0, 3_600), default: 30, accepts: 'seconds, 0 to 3,600',
    description: 'How long a lane must be without worker node before `LANE_WITHOUT_WORKER` fires. At an ordinary start nodes come a few seconds after the first jobs.',
  }),
  alertRunbookUrl: option({
    name: 'PYTHON3_ALERT_RUNBOOK_URL', parse: httpUrl, default: '', defaultText: 'none: the path in the repository', accepts: '`http://` or `https://` URL without user and password',
    description: 'Where the pages of `docs/alerts/` can be read; alerts link to `<URL>/<NAME>.md`.',
  }),
  alertWebhookFormat: option({
    name: 'PYTHON3_ALERT_WEBHOOK_FORMAT', parse: oneOf(...WEBHOOK_FORMATS), default: 'json', accepts: '`json`, `slack`, `teams` or `pagerduty`',
    description: 'What is posted to `PYTHON3_ALERT_WEBHOOK_URL`: our own JSON, signed, or what Slack, Teams (adaptive card) or PagerDuty (Events v2) take.',
  }),
  alertWebhook2Url: option({
    name: 'PYTHON3_ALERT_WEBHOOK_2_URL', parse: exactHttpUrl, default: '', defaultText: 'none', secret: true, accepts: '`http://` or `https://` URL without user and password',
    description: 'A second webhook, told on its own: one that does not answer holds up no other.',
  }),
  alertWebhook2Format: option({
    name: 'PYTHON3_ALERT_WEBHOOK_2_FORMAT', parse: oneOf(...WEBHOOK_FORMATS), default: 'json', accepts: '`json`, `slack`, `teams` or `pagerduty`',
    description: 'Its format.',
  }),
  alertWebhook3Url: option({
    name: 'PYTHON3_ALERT_WEBHOOK_3_URL', parse: exactHttpUrl, default: '', defaultText: 'none', secret: true, accepts: '`http://` or `https://` URL without user and password',
    description: 'A third webhook.',
  }),
  alertWebhook3Format: option({
    name: 'PYTHON3_ALERT_WEBHOOK_3_FORMAT', parse: oneOf(...WEBHOOK_FORMATS), default: 'json', accepts: '`json`, `slack`, `teams` or `pagerduty`',
    description: 'Its format.',
  }),
  alertPagerdutyKey: option({
    name: 'PYTHON3_ALERT_PAGERDUTY_KEY', parse: matching(/^[A-Za-z0-9+_-]{16,64}$/, 'an integration key of PagerDuty'), default: '', defaultText: 'none', secret: true, accepts: 'integration key (Events API v2)',
    description: 'Routing key of webhooks of the format `pagerduty`, whose URL is `https://events.pagerduty.com/v2/enqueue`.',
  }),
  alertWebhookUrl: option({
    name: 'PYTHON3_ALERT_WEBHOOK_URL', parse: exactHttpUrl, default: '', defaultText: 'none', secret: true, accepts: '`http://` or `https://` URL without user and password',
    description: 'Where each step of an alert is posted to, signed: [Alerts](alerts.md#webhook).',
  }),
  alertmanagerUrl: option({
    name: 'PYTHON3_ALERTMANAGER_URL', parse: httpUrl, default: '', defaultText: 'none', secret: true, accepts: '`http://` or `https://` URL without user and password',
    description: 'Alertmanager that alerts are sent to, without `/api/v2/alerts`.',
  }),
} as const; // prettier-ignore
