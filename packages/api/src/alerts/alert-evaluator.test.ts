import { randomBytes } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import {
  ALERT_NAMES, alertInstance, connectRedis, createRedisKeys, KeyRing, openDelivery, REDACTED_FIELDS, sealAlert, wellAgain,
  type Alert, type AlertDelivery, type RedisKeys,
} from '@python3-cluster/shared'; // prettier-ignore
import type { Redis } from 'ioredis';
import { pino } from 'pino';
import { alertCases, mended, NOW, quiet, thresholds } from '../../test/alert-cases';
import { acknowledgeAlert } from './acknowledge-alert';
import { AlertEvaluator, LISTED_MS } from './alert-evaluator';
import type { AlertSignals } from './alert-signals';
import { AlertStore } from './alert-store';
import { readLegacyAlerts } from './legacy-alerts';

const keyRing = new KeyRing('k'.repeat(40));
const logger = pino({ level: 'silent' });
const signal = new AbortController().signal;
const START = 1_800_000_000_000;
const CLAIM = 'claim-1';
let redis: Redis;
let keys: RedisKeys;
let store: AlertStore;
let now: number;
let signals: Partial<AlertSignals>;

beforeEach(async () => {
  redis = connectRedis(process.env['PYTHON3_TEST_REDIS_URL'] ?? '', { profile: 'patient', name: 'test', onError: () => undefined });
  keys = createRedisKeys(`t-${randomBytes(5).toString('hex')}`);
  store = new AlertStore({ redis, keys, keyRing, outboxes: [keys.alertOutbox] });
  [now, signals] = [START, {}];
  await redis.set(keys.elected, CLAIM);
});
afterEach(() => redis.disconnect());

const createEvaluator = (): AlertEvaluator =>
  new AlertEvaluator({
    store, thresholds: { ...thresholds, alertLaneGraceSeconds: 0 }, clearMs: 60_000, logger, readSignals: () => Promise.resolve({ ...quiet, now, ...signals }),
  }); // prettier-ignore
/** Each pass by an evaluator that knows nothing but what stands in Redis, as after a replica's death. */
const pass = (claim = CLAIM): Promise<void> => createEvaluator().pass({ claim, signal });
const outbox = async (): Promise<AlertDelivery[]> =>
  (await redis.lrangeBuffer(keys.alertOutbox, 0, -1)).map((sealed) => openDelivery(keyRing, keys.alertOutbox, sealed) as AlertDelivery);
const told = async (): Promise<string[]> => (await outbox()).map(({ event, alert }) => `${alert.name} ${event}`);
const active = async (): Promise<Alert[]> => [...(await store.readActive()).values()].map(({ alert }) => alert);
const busy = { poolUtilization: 0.95 };

describe('an alert', () => {
  it('fires once, is acknowledged once, resolves once after its condition was over for the time, and each is told once', async () => {
    for (signals = busy; now < START + 20_000; now += 2_000) await pass();
    expect(await told()).toEqual(['POOL_UTILIZATION_CRITICAL firing']);
    const [alert] = await active();
    expect(alert).toMatchObject({ state: 'firing', startedAt: START, value: 95, severity: 'CRITICAL', subject: '' });
    for (let time = 0; time < 2; time += 1) await acknowledgeAlert(store, alert?.id ?? '', 'admin');
    await pass();
    expect(await active()).toMatchObject([{ state: 'acknowledged', acknowledgedBy: 'admin' }]);
    const lastTrueAt = (await active())[0]?.lastTrueAt ?? 0;
    for (signals = {}; now < lastTrueAt + 60_000; now += 2_000) await pass();
    expect(await active()).toHaveLength(1);
    for (const end = now + 4_000; now < end; now += 2_000) await pass();
    expect(await active()).toEqual([]);
    expect(await told()).toEqual(['POOL_UTILIZATION_CRITICAL firing', 'POOL_UTILIZATION_CRITICAL acknowledged', 'POOL_UTILIZATION_CRITICAL resolved']);
    expect(new Set((await outbox()).map(({ id }) => id)).size).toBe(3);
    expect(await store.readHistory()).toMatchObject([{ id: alert?.id, state: 'resolved', acknowledgedBy: 'admin' }]);
    await expect(acknowledgeAlert(store, alert?.id ?? '', 'admin')).rejects.toMatchObject({ code: 'ALERT_NOT_FOUND' });
    // The next time is another alert.
    signals = busy;
    await pass();
    expect((await active())[0]?.id).not.toBe(alert?.id);
  });

  it('whose condition comes and goes within the time stays one alert', async () => {
    for (let round = 0; round < 10; round += 1) {
      signals = round % 2 === 0 ? busy : {};
      await pass();
      now += 30_000;
    }
    expect(await told()).toEqual(['POOL_UTILIZATION_CRITICAL firing']);
  });

  it('is one where many evaluate at the same moment, whichever believe to be elected', async () => {
    signals = busy;
    await Promise.all(Array.from({ length: 10 }, () => pass()));
    expect(await told()).toEqual(['POOL_UTILIZATION_CRITICAL firing']);
    now += 70_000;
    signals = {};
    await Promise.all(Array.from({ length: 10 }, () => pass()));
    expect(await told()).toEqual(['POOL_UTILIZATION_CRITICAL firing', 'POOL_UTILIZATION_CRITICAL resolved']);
  });

  it('is not written by a replica that is not elected any more', async () => {
    signals = busy;
    await pass('another claim');
    expect([await active(), await told()]).toEqual([[], []]);
  });

  it('is kept where signals cannot be read', async () => {
    signals = busy;
    await pass();
    now += 600_000;
    const evaluator = new AlertEvaluator({ store, thresholds, clearMs: 1, logger, readSignals: () => Promise.reject(new Error('away')) });
    await expect(evaluator.pass({ claim: CLAIM, signal })).rejects.toThrow('away');
    expect(await active()).toHaveLength(1);
  });
}); // prettier-ignore

it.each(ALERT_NAMES)('%s fires, is acknowledged and resolves, each once and each told once', async (name) => {
  now = NOW;
  signals = alertCases[name].fires[0]?.[1] ?? {};
  for (let time = 0; time < 3; time += 1) await pass();
  const [alert] = await active();
  await acknowledgeAlert(store, alert?.id ?? '', 'admin');
  await pass();
  expect(await active()).toMatchObject([{ name, state: 'acknowledged' }]);
  // Events are not heard of any more; a node of the name has been started.
  signals = mended[name] ?? {};
  for (now += 60_000; now < NOW + 70_000; now += 2_000) await pass();
  expect(await active()).toEqual([]);
  expect(await told()).toEqual([`${name} firing`, `${name} acknowledged`, `${name} resolved`]);
  const [resolved] = await store.readHistory();
  expect(resolved).toMatchObject({ id: alert?.id, name, state: 'resolved' });
  // What is well again, not what was wrong.
  expect(resolved?.message).toBe(wellAgain(name, alert?.subject ?? ''));
  expect(resolved?.message).not.toBe(alert?.message);
});

it('LANE_WITHOUT_WORKER fires only once a lane was without for its grace, without a break', async () => {
  const evaluator = new AlertEvaluator({
    store, thresholds, clearMs: 60_000, logger, readSignals: () => Promise.resolve({ ...quiet, now, ...signals }),
  }); // prettier-ignore
  const without = alertCases.LANE_WITHOUT_WORKER.fires[0]?.[1] ?? {};
  const goOn = async (more: Partial<AlertSignals>, forMs: number): Promise<void> => {
    signals = more;
    for (const end = now + forMs; now < end; now += 2_000) await evaluator.pass({ claim: CLAIM, signal });
  };
  // An ordinary start, and a node that comes, goes and comes.
  await goOn(without, 28_000);
  await goOn({}, 2_000);
  await goOn(without, 28_000);
  expect(await told()).toEqual([]);
  await goOn(without, 6_000);
  expect(await told()).toEqual(['LANE_WITHOUT_WORKER firing']);
});

it('the log has the figure of an alert, and nothing of it redacted', async () => {
  const lines: string[] = [];
  const open = { write: (line: string) => void lines.push(line) };
  // As `createLogger` does it.
  const redacting = pino({ redact: { paths: [...REDACTED_FIELDS], censor: '[redacted]' } }, open);
  const evaluator = new AlertEvaluator({ store, thresholds, clearMs: 1, logger: redacting, readSignals: () => Promise.resolve({ ...quiet, now, ...signals }) });
  signals = busy;
  await evaluator.pass({ claim: CLAIM, signal });
  [signals, now] = [{}, now + 10_000];
  await evaluator.pass({ claim: CLAIM, signal });
  expect(lines.map((line) => (JSON.parse(line) as { measured: number }).measured)).toEqual([95, 95]);
  expect(lines.join('')).not.toContain('redacted');
}); // prettier-ignore

it('what somebody without the key writes is no alert, is not sent on, and keeps none from firing', async () => {
  const forger = new KeyRing('x'.repeat(40));
  signals = busy;
  await pass();
  const [genuine] = await active();
  if (genuine === undefined) throw new Error('no alert');
  await redis.del(keys.alerts, keys.alertOutbox);
  const instance = alertInstance(genuine);
  await redis.hset(keys.alerts, instance, sealAlert(forger, `${keys.alerts} ${instance}`, genuine));
  // Genuine, but of another place.
  await redis.hset(keys.alerts, 'CLOCK_SKEW n1', sealAlert(keyRing, `${keys.alerts} ${instance}`, genuine));
  await redis.rpush(keys.alertOutbox, sealAlert(forger, keys.alertOutbox, genuine), sealAlert(keyRing, keys.alertHistory, genuine));
  expect([await active(), await store.readDelivery(keys.alertOutbox)]).toEqual([[], undefined]);
  await pass();
  expect(await active()).toMatchObject([{ name: 'POOL_UTILIZATION_CRITICAL', state: 'firing' }]);
  expect((await store.readDelivery(keys.alertOutbox))?.delivery.event).toBe('firing');
});

it('the predecessor’s list has its alerts once a minute, for five minutes, whether or not they have resolved', async () => {
  signals = { ...busy, lost: [{ nodeName: 'node-1', heardAt: 0 }] };
  for (; now <= START + 150_000; now += 10_000) await pass();
  const listed = await readLegacyAlerts(store, now);
  expect(listed.map(({ timestamp }) => (timestamp - START) / 1_000)).toEqual([120, 60, 0]);
  expect(listed[0]).toEqual({
    timestamp: START + 120_000,
    alert_id: 'POOL_UTILIZATION_CRITICAL',
    message: 'Pool utilization is critically high (95%). Consider increasing pool size.',
    severity: 'CRITICAL',
  });
  for (signals = {}; now <= START + 300_000; now += 10_000) await pass();
  expect((await active()).filter(({ name }) => name === 'POOL_UTILIZATION_CRITICAL')).toEqual([]);
  expect(await readLegacyAlerts(store, START + LISTED_MS)).toHaveLength(3);
  expect(await readLegacyAlerts(store, START + 60_000 + LISTED_MS)).toHaveLength(2);
  expect(await readLegacyAlerts(store, START + 121_000 + LISTED_MS)).toEqual([]);
});
