import { createHmac, hkdfSync, randomBytes } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import {
  alertDefinition, connectRedis, createAlertId, createRedisKeys, KeyRing, verifyWebhook, webhookKey,
  type Alert, type AlertName, type RedisKeys, type WebhookFormat,
} from '@python3-cluster/shared'; // prettier-ignore
import Ajv from 'ajv';
import type { Redis } from 'ioredis';
import { pino } from 'pino';
import { WebhookReceiver, type Received } from '../../test/webhook-receiver';
import { acknowledgeAlert } from './acknowledge-alert';
import { AlertStore } from './alert-store';
import { AlertmanagerNotifier, ENDS_AFTER_MS } from './alertmanager-notifier';
import type { WebhookTools } from './webhook-formats';
import { GIVE_UP_MS, WebhookNotifier } from './webhook-notifier';

const MASTER = 'master-key-of-the-tests-0123456789abcdef';
const keyRing = new KeyRing(MASTER);
const logger = pino({ level: 'silent' });
let redis: Redis;
let keys: RedisKeys;
let store: AlertStore;
let receiver: WebhookReceiver;

beforeEach(async () => {
  redis = connectRedis(process.env['PYTHON3_TEST_REDIS_URL'] ?? '', { profile: 'patient', name: 'test', onError: () => undefined });
  keys = createRedisKeys(`t-${randomBytes(5).toString('hex')}`);
  store = new AlertStore({ redis, keys, keyRing, outboxes: [keys.alertOutbox] });
  receiver = await WebhookReceiver.start();
});
afterEach(async () => {
  redis.disconnect();
  await receiver.stop();
});

const createAlert = (name: AlertName, subject = '', at = Date.now()): Alert => ({
  version: 1, id: createAlertId(), name, subject, severity: alertDefinition(name).severity, state: 'firing', message: `${name} ${subject}`, value: 1,
  startedAt: at, lastTrueAt: at, occurrences: [],
}); // prettier-ignore

async function fire(name: AlertName, subject = '', at = Date.now()): Promise<Alert> {
  const alert = createAlert(name, subject, at);
  expect(await store.step('', undefined, alert)).toBe(true);
  return alert;
}

async function resolve({ id }: Alert): Promise<void> {
  const stored = [...(await store.readActive()).values()].find(({ alert }) => alert.id === id);
  if (stored === undefined) throw new Error('no such alert');
  expect(await store.step('', stored, { ...stored.alert, state: 'resolved', resolvedAt: Date.now() })).toBe(true);
}

describe('a webhook', () => {
  const tools: WebhookTools = { cluster: 'plant', keyRing, runbookUrl: 'https://wiki.example/alerts/', routingKey: 'r'.repeat(32) };
  const notifier = (url = `${receiver.origin}/hook?token=t`, format: WebhookFormat = 'json'): WebhookNotifier =>
    new WebhookNotifier({ url, format, outbox: keys.alertOutbox, tools, store, logger, backoffMs: [1, 5] });
  const signal = new AbortController().signal;
  const passUntil = async (webhook: WebhookNotifier, isDone: () => boolean | Promise<boolean>): Promise<void> => {
    for (const deadline = Date.now() + 20_000; !(await isDone());) {
      if (Date.now() > deadline) throw new Error(`in vain; received ${receiver.received.length}`);
      await webhook.pass({ signal });
      await new Promise((next) => setTimeout(next, 1));
    }
  };
  const isEmpty = async (): Promise<boolean> => (await redis.llen(keys.alertOutbox)) === 0;
  const idOf = ({ headers }: Received): unknown => headers['python3-cluster-delivery'];

  it('is told of each step once and in order, signed so that a receiver with the webhook’s key alone can verify it', async () => {
    const alert = await fire('QUEUE_AGE_HIGH', 'line-7');
    await fire('REDIS_MEMORY_HIGH');
    await resolve(alert);
    await passUntil(notifier(), isEmpty);
    expect(receiver.received.map(({ json }) => `${json.event} ${json.alert.name}`)).toEqual(['firing QUEUE_AGE_HIGH', 'firing REDIS_MEMORY_HIGH', 'resolved QUEUE_AGE_HIGH']);
    expect(receiver.received.map(idOf)).toEqual(receiver.received.map(({ json }) => json.deliveryId));
    const { path, headers, body, json } = receiver.received[0] as Received;
    expect([path, json.version, json.cluster, json.alert.id, json.alert.subject]).toEqual(['/hook?token=t', 1, 'plant', alert.id, 'line-7']);
    // By the page alone: HKDF of RFC 5869, HMAC over "<t>.<delivery>.<body>".
    const key = Buffer.from(hkdfSync('sha256', MASTER, 'python3-cluster/1', 'webhook|alerts', 32));
    const [t = '', v1 = ''] = String(headers['python3-cluster-signature']).split(',').map((part) => part.slice(part.indexOf('=') + 1));
    expect(createHmac('sha256', key).update(`${t}.${String(idOf(receiver.received[0] as Received))}.`).update(body).digest('hex')).toBe(v1);
    expect(Math.abs(Date.now() / 1_000 - Number(t))).toBeLessThan(60);
    expect(key.equals(webhookKey(keyRing))).toBe(true);
  });

  it('its signature does not hold for another body, delivery, key, or later', async () => {
    await fire('REDIS_MEMORY_HIGH');
    await passUntil(notifier(), isEmpty);
    const { headers, body } = receiver.received[0] as Received;
    const [key, signature, id] = [webhookKey(keyRing), String(headers['python3-cluster-signature']), String(headers['python3-cluster-delivery'])];
    expect(verifyWebhook(key, signature, id, body)).toBe(true);
    expect(verifyWebhook(key, signature, id, Buffer.concat([body, Buffer.from(' ')]))).toBe(false);
    expect(verifyWebhook(key, signature, `${id}x`, body)).toBe(false);
    expect(verifyWebhook(webhookKey(new KeyRing('y'.repeat(40))), signature, id, body)).toBe(false);
    expect(verifyWebhook(key, signature, id, body, { now: Date.now() + 400_000 })).toBe(false);
    expect(verifyWebhook(key, signature.replace('v1', 'v2'), id, body)).toBe(false);
  });

  it('that fails is told again, the same delivery, and the next only after it', async () => {
    receiver.answer = (_received, count) => (count === 1 ? { status: 500 } : count === 2 ? undefined : count === 3 ? { status: 429 } : { status: 200 });
    await fire('QUEUE_AGE_HIGH', 'a');
    await fire('QUEUE_AGE_HIGH', 'b');
    await passUntil(notifier(), isEmpty);
    expect(receiver.received.map(({ json }) => json.alert.subject)).toEqual(['a', 'a', 'a', 'a', 'b']);
    expect(new Set(receiver.received.slice(0, 4).map(idOf)).size).toBe(1);
  });

  it('is told by another replica where the first went down between the answer and the outbox: the same delivery', async () => {
    await fire('REDIS_MEMORY_HIGH');
    const dying = new AlertStore({ redis, keys, keyRing, outboxes: [keys.alertOutbox] });
    dying.removeDelivery = () => Promise.reject(new Error('killed'));
    const first = new WebhookNotifier({ url: receiver.origin, format: 'json', outbox: keys.alertOutbox, tools, store: dying, logger });
    await expect(first.pass({ signal })).rejects.toThrow('killed');
    await passUntil(notifier(), isEmpty);
    expect(receiver.received).toHaveLength(2);
    expect(new Set(receiver.received.map(idOf)).size).toBe(1);
  });

  /** Every step of one alert, as a receiver of that format gets it. */
  async function tellAll(format: WebhookFormat): Promise<any[]> { // eslint-disable-line @typescript-eslint/no-explicit-any -- JSON
    const alert = await fire('LANE_WITHOUT_WORKER', '<a&b>');
    await acknowledgeAlert(store, alert.id, 'admin');
    await resolve(alert);
    await passUntil(notifier(undefined, format), isEmpty);
    for (const { headers } of receiver.received) {
      expect(headers['content-type']).toBe('application/json');
      expect('python3-cluster-signature' in headers).toBe(format === 'json');
    }
    return receiver.received.map(({ json }) => json as unknown);
  } // prettier-ignore
  const { advice } = alertDefinition('LANE_WITHOUT_WORKER');
  const runbook = 'https://wiki.example/alerts/LANE_WITHOUT_WORKER.md';

  it('of our own format is told what to do, and where it is written', async () => {
    const told = await tellAll('json');
    expect(told.map(({ event, alert }) => [event, alert.advice, alert.runbook])).toEqual(
      ['firing', 'acknowledged', 'resolved'].map((event) => [event, advice, runbook]),
    );
  });

  it('of Slack gets blocks within its limits, its own markup escaped', async () => {
    const told = await tellAll('slack');
    expect(told).toHaveLength(3);
    for (const { text, blocks, ...more } of told) {
      expect(more).toEqual({});
      expect(text).toContain('&lt;a&amp;b&gt;');
      for (const block of blocks) {
        const texts = block.type === 'context' ? block.elements : [block.text];
        expect(['section', 'context']).toContain(block.type);
        for (const one of texts) expect([one.type, one.text.length > 0 && one.text.length <= 3_000]).toEqual(['mrkdwn', true]);
      }
    }
    expect(JSON.stringify(told[0])).toContain(advice);
    expect(JSON.stringify(told[0])).toContain(`<${runbook}|What to do>`);
    expect(told[2].text).toContain('resolved');
  });

  it('of Teams gets a message with one adaptive card', async () => {
    const told = await tellAll('teams');
    for (const { type, attachments } of told) {
      expect([type, attachments.length]).toEqual(['message', 1]);
      const [{ contentType, content }] = attachments;
      expect([contentType, content.type]).toEqual(['application/vnd.microsoft.card.adaptive', 'AdaptiveCard']);
      expect(content.version).toMatch(/^1\.[0-5]$/);
      for (const element of content.body) expect(['TextBlock', 'FactSet']).toContain(element.type);
      expect(content.actions).toEqual([{ type: 'Action.OpenUrl', title: 'What to do', url: runbook }]);
    }
    expect(told.map(({ attachments }) => attachments[0].content.body[0].color)).toEqual(['attention', 'warning', 'good']);
  });

  it('of PagerDuty gets events that belong together by their dedup_key', async () => {
    const told = await tellAll('pagerduty');
    expect(told.map(({ event_action }) => event_action)).toEqual(['trigger', 'acknowledge', 'resolve']);
    expect(new Set(told.map(({ dedup_key }) => dedup_key)).size).toBe(1);
    for (const { routing_key, dedup_key } of told) expect([routing_key, dedup_key.length <= 255]).toEqual(['r'.repeat(32), true]);
    const { payload, links } = told[0];
    expect(payload).toMatchObject({ source: '<a&b>', severity: 'critical', class: 'LANE_WITHOUT_WORKER', group: 'plant', custom_details: { advice } });
    expect(payload.summary).toMatch(/^plant: .{1,1024}$/);
    expect(new Date(payload.timestamp).toISOString()).toBe(payload.timestamp);
    expect(links).toEqual([{ href: runbook, text: 'What to do' }]);
  }); // prettier-ignore

  it('that does not answer holds up no other one', async () => {
    store = new AlertStore({ redis, keys, keyRing, outboxes: [keys.alertOutbox, keys.alertOutbox2] });
    await fire('QUEUE_AGE_HIGH', 'a');
    const second = new WebhookNotifier({ url: `${receiver.origin}/second`, format: 'slack', outbox: keys.alertOutbox2, tools, store, logger });
    await notifier('http://127.0.0.1:1/').pass({ signal });
    await second.pass({ signal });
    expect(receiver.received.map(({ path }) => path)).toEqual(['/second']);
    expect([await redis.llen(keys.alertOutbox), await redis.llen(keys.alertOutbox2)]).toEqual([1, 0]);
  });

  it('that refuses a step for good, or whose step is old news, loses that one and gets the next', async () => {
    await fire('QUEUE_AGE_HIGH', 'refused');
    await fire('QUEUE_AGE_HIGH', 'old', Date.now() - GIVE_UP_MS - 1);
    await fire('QUEUE_AGE_HIGH', 'new');
    receiver.answer = ({ json }) => ({ status: json.alert.subject === 'refused' ? 400 : json.alert.subject === 'old' ? 503 : 200 });
    await passUntil(notifier(), isEmpty);
    expect(receiver.received.map(({ json }) => json.alert.subject)).toEqual(['refused', 'refused', 'refused', 'old', 'new']);
  });

  it('that redirects is not followed', async () => {
    const elsewhere = await WebhookReceiver.start();
    try {
      for (const status of [301, 302, 303, 307, 308]) {
        await fire('QUEUE_AGE_HIGH', `s-${status}`);
        receiver.answer = () => ({ status, location: `${elsewhere.origin}/inside` });
        await passUntil(notifier(), isEmpty);
      }
      expect([elsewhere.received.length, receiver.received.length]).toEqual([0, 15]);
    } finally {
      await elsewhere.stop();
    }
  });

  it('without an address: nothing is put into the outbox', async () => {
    await new AlertStore({ redis, keys, keyRing, outboxes: [] }).step('', undefined, createAlert('REDIS_MEMORY_HIGH'));
    await notifier('').pass({ signal });
    expect([await redis.llen(keys.alertOutbox), receiver.received.length]).toEqual([0, 0]);
  });
}); // prettier-ignore

/** `postableAlerts` of Alertmanager's `api/v2/openapi.yaml`; Alertmanager itself also wants label names of this form. */
const SCHEMA = {
  type: 'array',
  minItems: 1,
  items: {
    type: 'object',
    required: ['labels'],
    additionalProperties: false,
    properties: {
      labels: { type: 'object', required: ['alertname'], propertyNames: { pattern: '^[a-zA-Z_][a-zA-Z0-9_]*$' }, additionalProperties: { type: 'string', minLength: 1 } },
      annotations: { type: 'object', propertyNames: { pattern: '^[a-zA-Z_][a-zA-Z0-9_]*$' }, additionalProperties: { type: 'string' } },
      startsAt: { type: 'string', pattern: '^\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\d(\\.\\d+)?Z$' },
      endsAt: { type: 'string', pattern: '^\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\d(\\.\\d+)?Z$' },
      generatorURL: { type: 'string' },
    },
  },
}; // prettier-ignore

describe('Alertmanager', () => {
  const isValid = new Ajv().compile(SCHEMA);
  const signal = new AbortController().signal;
  const create = (): AlertmanagerNotifier => new AlertmanagerNotifier({ url: `${receiver.origin}/am/`, cluster: 'plant', runbookUrl: '', store, logger });
  const ends = (received: Received | undefined, subject: string): number =>
    Date.parse(received?.json.find((one: { labels: { lane: string } }) => one.labels.lane === subject).endsAt as string);

  it('is told of what stands and what has ended, in the form it takes, and not again while nothing changes', async () => {
    const notifier = create();
    await notifier.pass({ signal });
    expect(receiver.received).toEqual([]);
    const first = await fire('QUEUE_AGE_HIGH', 'a');
    for (let count = 0; count < 3; count += 1) await notifier.pass({ signal });
    await fire('QUEUE_AGE_HIGH', 'b');
    await fire('REDIS_MEMORY_HIGH');
    for (let count = 0; count < 3; count += 1) await notifier.pass({ signal });
    await resolve(first);
    await notifier.pass({ signal });
    expect(receiver.received.map(({ path, json }) => [path, json.length])).toEqual([['/am/api/v2/alerts', 1], ['/am/api/v2/alerts', 3], ['/am/api/v2/alerts', 3]]);
    for (const { json } of receiver.received) expect([isValid(json), isValid.errors]).toEqual([true, null]);
    const [, before, after] = receiver.received;
    expect(ends(before, 'a') - Date.now()).toBeGreaterThan(ENDS_AFTER_MS / 2);
    expect(ends(after, 'a')).toBeLessThanOrEqual(Date.now());
    expect(ends(after, 'b')).toBeGreaterThan(Date.now());
    const labelsOf = (received: Received | undefined) => received?.json.find((one: { labels: { lane: string } }) => one.labels.lane === 'a').labels;
    expect(labelsOf(after)).toEqual({ alertname: 'QUEUE_AGE_HIGH', severity: 'warning', cluster: 'plant', lane: 'a' });
    expect(labelsOf(before)).toEqual(labelsOf(after));
  });

  it('is told all of it by the replica that is elected next', async () => {
    const alert = await fire('QUEUE_AGE_HIGH', 'a');
    await create().pass({ signal });
    await resolve(alert);
    await create().pass({ signal });
    expect(receiver.received.map((received) => ends(received, 'a') > Date.now())).toEqual([true, false]);
  });

  it('is not told that an alert has ended which fires again', async () => {
    const first = await fire('QUEUE_AGE_HIGH', 'a', Date.now() - 10_000);
    await resolve(first);
    await fire('QUEUE_AGE_HIGH', 'a');
    await create().pass({ signal });
    expect(receiver.received[0]?.json).toHaveLength(1);
    expect(ends(receiver.received[0], 'a')).toBeGreaterThan(Date.now());
  });

  it('that fails is told again, after a pause', async () => {
    receiver.answer = (_received, count) => ({ status: count === 1 ? 503 : 200 });
    await fire('QUEUE_AGE_HIGH', 'a');
    const notifier = create();
    await notifier.pass({ signal });
    await notifier.pass({ signal });
    expect(receiver.received).toHaveLength(1);
    for (const deadline = Date.now() + 20_000; receiver.received.length < 2 && Date.now() < deadline;) {
      await notifier.pass({ signal });
      await new Promise((next) => setTimeout(next, 20));
    }
    expect(receiver.received).toHaveLength(2);
  });
}); // prettier-ignore
