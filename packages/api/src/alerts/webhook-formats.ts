import { signWebhook, type AlertDelivery, type KeyRing, type WebhookFormat } from '@python3-cluster/shared';
import { toAlertView, type AlertView } from './alert-view';

export interface WebhookTools {
  readonly cluster: string;
  readonly keyRing: KeyRing;
  /** '': alerts name the path of their page. */
  readonly runbookUrl: string;
  /** Of PagerDuty. */
  readonly routingKey: string;
}

export interface WebhookMessage {
  readonly body: Buffer;
  readonly headers: Readonly<Record<string, string>>;
}

/** One step of an alert as the receiver takes it. Only our own format is signed: the others have their secret in the address or body. */
export function formatDelivery(format: WebhookFormat, delivery: AlertDelivery, tools: WebhookTools): WebhookMessage {
  const { id, event, at } = delivery;
  const alert = toAlertView(delivery.alert, tools.runbookUrl);
  const told: Told = { event, cluster: tools.cluster, alert };
  switch (format) {
    case 'json': {
      const body = toBody({ version: 1, deliveryId: id, event, at, cluster: tools.cluster, alert });
      return { body, headers: { 'Python3-Cluster-Delivery': id, 'Python3-Cluster-Signature': signWebhook(tools.keyRing, id, body) } };
    }
    case 'slack':
      return { body: toBody(toSlack(told)), headers: {} };
    case 'teams':
      return { body: toBody(toTeams(told)), headers: {} };
    case 'pagerduty':
      return { body: toBody(toPagerduty(told, tools.routingKey)), headers: {} };
  }
}

interface Told {
  readonly event: AlertDelivery['event'];
  readonly cluster: string;
  readonly alert: AlertView;
}

const toBody = (content: object): Buffer => Buffer.from(JSON.stringify(content));

const MARKS = { firing: '🔴', acknowledged: '🟡', resolved: '🟢' } as const;
const titleOf = ({ event, cluster, alert }: Told): string =>
  `${alert.name}${alert.subject === null ? '' : ` (${alert.subject})`}: ${event}, cluster ${cluster}`;
const isAddress = (runbook: string): boolean => /^https?:/.test(runbook);

/** Incoming webhooks (https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks): `text` is the notification, `blocks` the message. */
function toSlack(told: Told): object {
  const { alert, event } = told;
  const runbook = isAddress(alert.runbook) ? `<${alert.runbook}|What to do>` : `Page: \`${alert.runbook}\``;
  const section = (text: string): object => ({ type: 'section', text: { type: 'mrkdwn', text } });
  return {
    text: `${MARKS[event]} ${escapeSlack(titleOf(told))}. ${escapeSlack(alert.message)}`,
    blocks: [
      section(`${MARKS[event]} *${escapeSlack(titleOf(told))}*\n${escapeSlack(alert.message)}`),
      ...(event === 'firing' ? [section(escapeSlack(alert.advice))] : []),
      { type: 'context', elements: [{ type: 'mrkdwn', text: `${alert.severity} · ${runbook} · ${alert.id}` }] },
    ],
  };
}

/** Slack takes these three for its own markup. */
const escapeSlack = (text: string): string => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');

/** Workflows and incoming webhooks of Teams: a message with one adaptive card (https://adaptivecards.io/explorer/AdaptiveCard.html). */
function toTeams(told: Told): object {
  const { alert, event } = told;
  const line = (text: string, more: object = {}): object => ({ type: 'TextBlock', text, wrap: true, ...more });
  const colours = { firing: alert.severity === 'CRITICAL' ? 'attention' : 'warning', acknowledged: 'warning', resolved: 'good' } as const;
  const facts = [
    { title: 'Severity', value: alert.severity },
    { title: 'Alert', value: alert.id },
    { title: 'Page', value: alert.runbook },
  ];
  const card = {
    $schema: 'http://adaptivecards.io/schemas/adaptive-card.json',
    type: 'AdaptiveCard',
    version: '1.4',
    body: [
      line(titleOf(told), { weight: 'bolder', size: 'medium', color: colours[event] }),
      line(alert.message),
      ...(event === 'firing' ? [line(alert.advice)] : []),
      { type: 'FactSet', facts },
    ],
    ...(isAddress(alert.runbook) && { actions: [{ type: 'Action.OpenUrl', title: 'What to do', url: alert.runbook }] }),
  };
  return { type: 'message', attachments: [{ contentType: 'application/vnd.microsoft.card.adaptive', contentUrl: null, content: card }] };
}

const ACTIONS = { firing: 'trigger', acknowledged: 'acknowledge', resolved: 'resolve' } as const;
const MOST_SUMMARY = 1_024;

/** Events API v2 (https://developer.pagerduty.com/docs/send-alert-event): the alert's id keeps its steps together. */
function toPagerduty({ event, cluster, alert }: Told, routingKey: string): object {
  const common = { routing_key: routingKey, event_action: ACTIONS[event], dedup_key: `python3-cluster/${alert.id}` };
  if (event === 'acknowledged') return common;
  return {
    ...common,
    payload: {
      summary: `${cluster}: ${alert.message}`.slice(0, MOST_SUMMARY),
      source: alert.subject ?? cluster,
      severity: alert.severity === 'CRITICAL' ? 'critical' : 'warning',
      timestamp: new Date(event === 'firing' ? alert.startedAt : (alert.resolvedAt ?? alert.lastTrueAt)).toISOString(),
      component: 'python3-cluster',
      group: cluster,
      class: alert.name,
      custom_details: { advice: alert.advice, runbook: alert.runbook, value: alert.value, alertId: alert.id },
    },
    client: 'python3-cluster',
    ...(isAddress(alert.runbook) && { links: [{ href: alert.runbook, text: 'What to do' }] }),
  };
}
