import { afterEach, expect } from '@jest/globals';
import { WebhookReceiver } from '../../packages/api/test/webhook-receiver';
import { AlertmanagerServer, findAlertmanager } from '../support/alertmanager-server';
import { call } from '../support/call';
import { itIf } from '../support/optional';
import { TestCluster } from '../support/test-cluster';
import { waitFor } from '../support/wait-for';

const program = findAlertmanager();
const itReally = itIf(program !== undefined, 'no Alertmanager');

const stops: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const stop of stops.splice(0).reverse()) await stop();
});

/** What Alertmanager told whoever it tells. */
interface Notification {
  readonly status: string;
  readonly alerts: readonly { readonly status: string; readonly labels: Readonly<Record<string, string>> }[];
}

itReally(
  'a real Alertmanager has what stands, tells of its beginning and its end once, also through the death of the elected replica',
  async () => {
    const receiver = await WebhookReceiver.start();
    stops.push(() => receiver.stop());
    const alertmanager = await AlertmanagerServer.start(program ?? '', `${receiver.origin}/plant`);
    stops.push(() => alertmanager.stop());
    const settings = {
      PYTHON3_ALERTMANAGER_URL: alertmanager.url,
      PYTHON3_ALERT_CLEAR_SECONDS: '2',
      PYTHON3_ALERT_LANE_GRACE_SECONDS: '0',
    };
    const cluster = await TestCluster.start({ apis: 2, workers: 0, settings });
    stops.push(() => cluster.stop());
    const told = (): string[] =>
      receiver.received.flatMap(({ json }) =>
        (json as Notification).alerts.map(({ status, labels }) => `${status} ${labels['alertname']} ${labels['lane']}`),
      );

    // A job waits in a lane whose only node has left.
    const worker = cluster.startWorker({ PYTHON3_LANES: 'line-7' });
    await cluster.waitForWorkers(1);
    worker.process.kill('SIGSTOP');
    expect((await call(cluster, '/api/v1/jobs', { code: 'result = 1', lane: 'line-7' })).status).toBe(202);
    await worker.stop('SIGKILL');
    const alert = await waitFor('it to fire', async () =>
      (await alertmanager.alerts()).find(({ labels }) => labels['alertname'] === 'LANE_WITHOUT_WORKER'),
    );
    expect(alert.labels).toEqual({ alertname: 'LANE_WITHOUT_WORKER', severity: 'critical', cluster: cluster.namespace, lane: 'line-7' });
    expect(alert.annotations['summary']).toContain("No worker node serves lane 'line-7'");
    expect(Date.parse(alert.endsAt)).toBeGreaterThan(Date.now());
    await waitFor('it to be told', () => told().includes('firing LANE_WITHOUT_WORKER line-7'));

    const isElected = cluster.apis.map(
      (api) =>
        api
          .log()
          .match(/"isElected":(true|false)/g)
          ?.at(-1) === '"isElected":true',
    );
    await cluster.apis[isElected.indexOf(true)]?.stop('SIGKILL');
    cluster.startWorker({ PYTHON3_LANES: 'line-7' });
    await waitFor('its end to be told', () => told().includes('resolved LANE_WITHOUT_WORKER line-7'), 45_000);
    expect((await alertmanager.alerts()).filter(({ labels }) => labels['alertname'] === 'LANE_WITHOUT_WORKER')).toEqual([]);
    expect(told().filter((step) => step.includes('LANE_WITHOUT_WORKER'))).toEqual([
      'firing LANE_WITHOUT_WORKER line-7',
      'resolved LANE_WITHOUT_WORKER line-7',
    ]);
  },
  90_000,
);
