import { Queue } from 'bullmq';
import type { Redis } from 'ioredis';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { connectRedis, createJobId, createRedisKeys, type RedisKeys } from '@python3-cluster/shared';
import { WebhookReceiver } from '../../packages/api/test/webhook-receiver';
import { call, legacy, runJob } from '../support/call';
import { TcpProxy } from '../support/tcp-proxy';
import { ADMIN_KEY, TestCluster } from '../support/test-cluster';
import { waitFor } from '../support/wait-for';

/** Two replicas, the second one's way to Redis through a proxy; a lane `aside` of a node that dies. */
let cluster: TestCluster;
let receiver: WebhookReceiver;
let proxy: TcpProxy;
let redis: Redis;
let keys: RedisKeys;
const asAdmin = { key: ADMIN_KEY };
const CRASHES = 'while flag: pass';

interface View {
  readonly id: string;
  readonly name: string;
  readonly subject: string | null;
  readonly state: string;
}

beforeAll(async () => {
  receiver = await WebhookReceiver.start();
  cluster = await TestCluster.start({
    workers: 0,
    apis: 1,
    settings: {
      PYTHON3_ALERT_WEBHOOK_URL: `${receiver.origin}/hook`, PYTHON3_ALERTMANAGER_URL: `${receiver.origin}/alertmanager`,
      PYTHON3_ALERT_CLEAR_SECONDS: '3', PYTHON3_ALERT_LANE_GRACE_SECONDS: '1', PYTHON3_ALERT_RUNBOOK_URL: 'https://wiki.example/alerts',
      PYTHON3_ALERT_WEBHOOK_2_URL: `${receiver.origin}/pager`, PYTHON3_ALERT_WEBHOOK_2_FORMAT: 'pagerduty', PYTHON3_ALERT_PAGERDUTY_KEY: 'r'.repeat(32), PYTHON3_QUARANTINE_BREACHES: '2', PYTHON3_TIMEOUT_SECONDS: '1', PYTHON3_QUEUE_MAX_JOBS: '10',
      PYTHON3_ALERT_POOL_HIGH_PERCENT: '100', PYTHON3_ALERT_POOL_CRITICAL_PERCENT: '100',
    },
  }); // prettier-ignore
  proxy = await TcpProxy.start(Number(new URL(cluster.redisUrl).port));
  await cluster.startApi({ REDIS_URL: proxy.redisUrl, PYTHON3_NODE_NAME: 'cut-off' });
  cluster.startWorker({ PYTHON3_NODE_NAME: 'stays' });
  cluster.startWorker({ PYTHON3_NODE_NAME: 'dies', PYTHON3_LANES: 'aside' });
  await cluster.waitForWorkers(2);
  keys = createRedisKeys(cluster.namespace);
  redis = connectRedis(cluster.redisUrl, { profile: 'patient', name: 'test', onError: () => undefined });
}, 60_000);
afterAll(async () => {
  redis.disconnect();
  await cluster.stop();
  await proxy.stop();
  await receiver.stop();
});

/** Replicas that are not killed; the first answers. */
let replica = 0;
const read = async (): Promise<{ active: View[]; recent: View[] }> => (await call(cluster, '/api/v1/alerts', undefined, { replica })).json;
const isFiring = async (name: string, subject: string): Promise<View | undefined> =>
  (await read()).active.find((alert) => alert.name === name && alert.subject === subject);
/** Deliveries as a receiver counts them that drops what it has. */
const told = (): string[] => {
  const deliveries = receiver.received.filter(({ path }) => path === '/hook').map(({ json }) => json);
  const once = new Map(deliveries.map((json) => [json.deliveryId, `${json.event} ${json.alert.name} ${json.alert.subject}`]));
  return [...once.values()];
};

it('what happens fires: a refused signature, a quarantine, a full queue, a lost node, a lane without worker, an open breaker', async () => {
  // A queued job that nobody signed.
  const queue = new Queue(keys.queueName, { connection: redis, prefix: keys.queuePrefix('default') });
  const jobId = createJobId('default');
  await redis.hset(keys.jobRecord('default', jobId), { state: 'waiting' });
  await queue.add('exec', { sealed: 'no seal' }, { jobId, removeOnComplete: true, removeOnFail: true });
  await queue.close();
  const breaches = await Promise.all([1, 2].map(() => runJob(cluster, { code: CRASHES, variables: { flag: true } })));
  expect(breaches.map(({ json }) => json.outcome.status)).toEqual(['timed_out', 'timed_out']);
  // An outcome that somebody changed.
  const changed = (await runJob(cluster, { code: 'result = 1' })).json.id as string;
  await redis.hset(keys.jobRecord('default', changed), 'outcome', 'no seal');
  expect((await call(cluster, `/api/v1/jobs/${changed}`)).status).toBe(502);
  // The node of `aside` dies; eight jobs wait there, and nobody takes them.
  const dies = cluster.workers[1];
  process.kill(dies?.pid ?? 0, 'SIGSTOP');
  for (let count = 0; count < 8; count += 1) {
    const { status } = await call(cluster, '/api/v1/jobs', { code: 'result = 1', lane: 'aside' });
    expect(status).toBe(202);
  }
  await dies?.stop('SIGKILL');
  // One replica is cut off from Redis until its breaker opens.
  proxy.cut('dropped');
  const breaker = async (): Promise<string> => (await call(cluster, '/health', undefined, { key: null, replica: 1 })).json.breaker as string;
  await waitFor('the breaker to open', async () => (await breaker()) === 'open');
  proxy.heal();
  await waitFor('it to close', async () => (await breaker()) === 'closed');
  for (const [name, subject] of [
    ['JOB_SIGNATURE_REFUSED', 'default'], ['RECORD_REFUSED', 'OUTCOME_UNVERIFIED'], ['PROGRAM_QUARANTINED', 'key:developer'], ['QUEUE_DEPTH_HIGH', 'aside'], ['WORKER_NODE_LOST', 'dies'],
    ['LANE_WITHOUT_WORKER', 'aside'], ['BREAKER_OPEN', 'cut-off'],
  ] as const) await waitFor(`${name} ${subject}`, () => isFiring(name, subject));
}, 60_000); // prettier-ignore

it('an alert is acknowledged by whoever may run scripts, and that is told', async () => {
  const alert = await isFiring('WORKER_NODE_LOST', 'dies');
  const path = `/api/v1/alerts/${alert?.id}/acknowledge`;
  const answer = await call(cluster, path, undefined, { method: 'POST', ...asAdmin });
  expect([answer.status, answer.json]).toMatchObject([200, { id: alert?.id, state: 'acknowledged', acknowledgedBy: 'admin' }]);
  expect((await isFiring('WORKER_NODE_LOST', 'dies'))?.state).toBe('acknowledged');
  for (const id of [`alert-${'0'.repeat(24)}`, 'nonsense']) {
    const none = await call(cluster, `/api/v1/alerts/${id}/acknowledge`, undefined, { method: 'POST', ...asAdmin });
    expect([none.status, none.json.error.code]).toEqual([404, 'ALERT_NOT_FOUND']);
  }
  expect((await call(cluster, '/api/v1/alerts', undefined, { key: null })).status).toBe(401);
  // None of these is one the predecessor knew.
  expect((await legacy(cluster, 'metrics/alerts')).json).toEqual({ success: true, alerts: [], count: 0 });
});

it('with the elected replica killed, the causes mended resolve, and every step was told once', async () => {
  const elected = await waitFor('somebody to be elected', () => {
    const claims = cluster.apis.map((api) => api.log().match(/"isElected":(true|false)/g)?.at(-1) === '"isElected":true');
    return claims.indexOf(true) >= 0 ? { index: claims.indexOf(true) } : undefined;
  });
  await cluster.apis[elected.index]?.stop('SIGKILL');
  replica = 1 - elected.index;
  const replaced = cluster.startWorker({ PYTHON3_NODE_NAME: 'dies', PYTHON3_LANES: 'aside' });
  const released = (await call(cluster, '/api/v1/quarantine', undefined, { replica, ...asAdmin })).json.quarantine[0].id as string;
  expect((await call(cluster, `/api/v1/quarantine/${released}`, undefined, { method: 'DELETE', replica, ...asAdmin })).status).toBe(200);
  const mended = ['WORKER_NODE_LOST dies', 'LANE_WITHOUT_WORKER aside', 'QUEUE_DEPTH_HIGH aside', 'PROGRAM_QUARANTINED key:developer'];
  await waitFor('all of them to resolve', () => mended.every((alert) => told().includes(`resolved ${alert}`)), 45_000);
  expect(replaced.process.exitCode).toBeNull();
  await waitFor('the outbox to be empty', async () => (await redis.llen(keys.alertOutbox)) === 0);
  for (const alert of mended) expect(told().filter((step) => step.endsWith(alert)).sort()).toEqual([
    ...(alert.startsWith('WORKER_NODE_LOST') ? [`acknowledged ${alert}`] : []), `firing ${alert}`, `resolved ${alert}`,
  ]);
  expect(told().filter((step) => step.startsWith('firing')).length).toBe(new Set(told().filter((step) => step.startsWith('firing'))).size);
  // The second webhook was told the same in its own words.
  const paged = (): string[] => receiver.received.filter(({ path }) => path === '/pager').map(({ json }) => `${json.event_action} ${json.payload?.class} ${json.payload?.source}`);
  await waitFor('the pager to know', () => paged().includes('resolve LANE_WITHOUT_WORKER aside'));
  expect(paged()).toContain('trigger LANE_WITHOUT_WORKER aside');
  // What has resolved says what is well, and every alert says what to do.
  const ended = (await read()).recent.find(({ name }) => name === 'LANE_WITHOUT_WORKER');
  expect(ended).toMatchObject({ message: expect.stringContaining('has a worker node again'), runbook: 'https://wiki.example/alerts/LANE_WITHOUT_WORKER.md' });
  expect(ended).toHaveProperty('advice');
  expect(cluster.apis.map((api) => api.log()).join('')).not.toContain('[redacted]');
  // As long as it was heard of lately, a refusal stays.
  expect(await isFiring('JOB_SIGNATURE_REFUSED', 'default')).toBeDefined();
  // Alertmanager, too, was told of both.
  const ends = (): number[] =>
    receiver.received
      .filter(({ path }) => path === '/alertmanager/api/v2/alerts')
      .flatMap(({ json }) => json)
      .filter(({ labels }) => labels.alertname === 'LANE_WITHOUT_WORKER')
      .map(({ startsAt, endsAt }) => Date.parse(endsAt) - Date.parse(startsAt));
  await waitFor('the end of it', () => ends().some((ms) => ms < 200_000));
  expect(ends().some((ms) => ms > 200_000)).toBe(true);
}, 90_000); // prettier-ignore
