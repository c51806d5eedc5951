import { Redis } from 'ioredis';
import { call } from '../support/call';
import { OtlpReceiver } from '../support/otlp-receiver';
import { hasPrometheus, PrometheusServer } from '../support/prometheus-server';
import { ADMIN_KEY, TestCluster, type TestProcess } from '../support/test-cluster';
import { freePort } from '../support/test-redis';
import { waitFor } from '../support/wait-for';
import { judgeJobs, type Finding, type Killed } from './judge-jobs';
import { judgeSpans, RATIO } from './judge-spans';
import { listAllJobs, type AllJobs } from './listed-jobs';
import { RetryingCallers } from './retrying-callers';
import { compare, countJobs, readSurfaces, type Counts } from './surfaces';
import { ToldSteps } from './told-steps';

const TOKEN = 'token-of-prometheus-0123456789abcdef';
const SETTLE_MS = 120_000;

/** Two API replicas and two worker nodes that everything is observed of: jobs, counters, traces, alerts. */
export class Agreement {
  private cluster!: TestCluster;
  private redis!: Redis;
  private receiver!: OtlpReceiver;
  private told!: ToldSteps;
  private callers!: RetryingCallers;
  private killed: Killed = { node: '', replica: -1, at: Infinity };

  static async start(): Promise<Agreement> {
    const agreement = new Agreement();
    agreement.receiver = await OtlpReceiver.start();
    agreement.told = await ToldSteps.start();
    agreement.cluster = await TestCluster.start({
      apis: 2,
      workers: 0,
      settings: {
        PYTHON3_METRICS_TOKEN: TOKEN, PYTHON3_POOL_MAX: '4', PYTHON3_RESULT_MAX_BYTES: '1073741824',
        OTEL_EXPORTER_OTLP_ENDPOINT: agreement.receiver.endpoint, OTEL_METRICS_EXPORTER: 'none', OTEL_BSP_SCHEDULE_DELAY: '500',
        OTEL_TRACES_SAMPLER: 'parentbased_traceidratio', OTEL_TRACES_SAMPLER_ARG: String(RATIO),
        PYTHON3_ALERT_WEBHOOK_URL: agreement.told.url, PYTHON3_ALERT_CLEAR_SECONDS: '5',
        // The load keeps every slot busy, which is what it is for.
        PYTHON3_ALERT_POOL_HIGH_PERCENT: '100', PYTHON3_ALERT_POOL_CRITICAL_PERCENT: '100',
      },
    }); // prettier-ignore
    agreement.redis = new Redis(agreement.cluster.redisUrl);
    return agreement;
  }

  async stop(): Promise<void> {
    this.redis.disconnect();
    await this.cluster.stop();
    await this.told.stop();
    await this.receiver.stop();
  }

  /** Sends the jobs; halfway one worker node and the elected replica die, and a node of the same name comes once its loss was told. */
  async run(jobs: number, callers: number): Promise<Finding[]> {
    const workerPort = await freePort();
    this.cluster.startWorker({ PYTHON3_NODE_NAME: 'stays', PYTHON3_WORKER_METRICS_PORT: String(workerPort) });
    this.cluster.startWorker({ PYTHON3_NODE_NAME: 'dies' });
    await this.cluster.waitForWorkers(2);
    const { workers } = (await call(this.cluster, '/api/v1/workers')).json as { workers: { id: string; nodeName: string }[] };
    const node = workers.find(({ nodeName }) => nodeName === 'dies')?.id ?? '';
    this.callers = new RetryingCallers(this.cluster, jobs);
    const begunAt = Date.now();
    const sending = this.callers.run(callers);
    await Promise.race([sending, waitFor('half of the jobs', () => this.callers.done >= jobs / 2, SETTLE_MS * 3)]);
    this.killHalfOfIt(node);
    const replacing = this.replaceNode();
    await sending;
    const sentMs = Date.now() - begunAt;
    await replacing;
    const all = await this.settle();
    const counts = countJobs(all.jobs.values());
    const sent = `${jobs} requests in ${Math.round(sentMs / 1_000)} s`;
    return [judgeJobs(all, counts, this.callers, this.killed, sent), ...(await this.judgeSurfaces(counts, workerPort)), ...(await judgeSpans(this.receiver, all, this.callers.submissions, this.killed)), await this.judgeAlerts()];
  } // prettier-ignore

  private get replica(): number {
    return 1 - this.killed.replica;
  }

  private killHalfOfIt(node: string): void {
    const isElected = (api: TestProcess): boolean =>
      api
        .log()
        .match(/"isElected":(true|false)/g)
        ?.at(-1) === '"isElected":true';
    const replica = this.cluster.apis.findIndex(isElected);
    if (replica < 0) throw new Error('no replica is elected');
    this.killed = { node, replica, at: Date.now() };
    for (const victim of [this.cluster.workers[1], this.cluster.apis[replica]]) victim?.process.kill('SIGKILL');
  }

  private async replaceNode(): Promise<void> {
    await waitFor('the loss of the node to be told', () => this.told.counts()['firing WORKER_NODE_LOST dies'], SETTLE_MS);
    this.cluster.startWorker({ PYTHON3_NODE_NAME: 'dies' });
  }

  /** All jobs, once none is open, or after a time. */
  private async settle(): Promise<AllJobs> {
    const { replica, cluster } = this;
    const isSettled = async (): Promise<boolean> => (await call(cluster, '/api/v1/metrics', undefined, { replica })).json.jobs.open === 0;
    await waitFor('no job to be open', isSettled, SETTLE_MS).catch(() => undefined);
    return listAllJobs(cluster, replica, this.redis);
  }

  private async judgeSurfaces(truth: Counts, workerPort: number): Promise<Finding[]> {
    const { cluster, redis, replica } = this;
    const prometheus = hasPrometheus() ? await PrometheusServer.start(TOKEN, cluster.ports[replica] ?? 0, workerPort) : undefined;
    try {
      const read = async (): Promise<Finding[]> => {
        const surfaces = await readSurfaces({ cluster, replica, redis, token: TOKEN, prometheus });
        return surfaces.map((surface) => {
          const { name, counts } = surface;
          const line = `${name}: finished ${counts['finished']}${counts['succeeded'] === undefined ? '' : `, succeeded ${counts['succeeded']}`}; ${Object.keys(counts).length} figures`;
          return { line, disagreements: compare(truth, surface).map((words) => `${name}: ${words}`) };
        });
      };
      const agree = async (): Promise<Finding[] | undefined> => {
        const findings = await read();
        return findings.every(({ disagreements }) => disagreements.length === 0) ? findings : undefined;
      };
      return await waitFor('all surfaces', agree).catch(read);
    } finally {
      await prometheus?.stop();
    }
  }

  private async judgeAlerts(): Promise<Finding> {
    const { told, cluster, replica } = this;
    const once = { 'firing FAILURE_RATE_HIGH': 1, 'resolved FAILURE_RATE_HIGH': 1, 'firing WORKER_NODE_LOST dies': 1, 'resolved WORKER_NODE_LOST dies': 1 };
    const isOver = (): boolean => Object.keys(once).every((step) => (told.counts()[step] ?? 0) > 0);
    await waitFor('the alerts to resolve', isOver, SETTLE_MS).catch(() => undefined);
    const counts = told.counts();
    const { active, recent } = (await call(cluster, '/api/v1/alerts', undefined, { replica, key: ADMIN_KEY })).json;
    const stored = [...active, ...recent].map(({ name, state }) => `${name} ${state}`).sort();
    const steps = Object.entries(counts).map(([step, count]) => `${step} × ${count}`);
    const disagreements = [...new Set([...Object.keys(once), ...Object.keys(counts)])]
      .filter((step) => counts[step] !== (once as Counts)[step])
      .map((step) => `alert: ${step}: told ${counts[step] ?? 0} times, not ${(once as Counts)[step] ?? 0}`);
    if (told.forged() > 0) disagreements.push(`alerts: ${told.forged()} deliveries are not signed as documented`);
    if (stored.join() !== 'FAILURE_RATE_HIGH resolved,WORKER_NODE_LOST resolved') disagreements.push(`alerts: the route tells ${stored.join()}`);
    return { line: `alerts: ${steps.join(', ')}; deliveries repeated under their id ${told.repeated()}`, disagreements };
  } // prettier-ignore
}
