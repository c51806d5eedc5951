import { Redis } from 'ioredis';
import { call } from '../support/call';
import { OtlpReceiver } from '../support/otlp-receiver';
import { hasPrometheus, PrometheusServer } from '../support/prometheus-server';
import { ADMIN_KEY, TestCluster, type TestProcess } from '../support/test-cluster';
import { freePort } from '../support/test-redis';
import { waitFor } from '../support/wait-for';
import { groupByTrace, isOneTree, isSampledAt, judgeTraces, type ExpectedTrace, type JudgedTraces } from './judge-traces';
import { listAllJobs, type AllJobs, type ListedJob } from './listed-jobs';
import type { MixedJob } from './mixed-jobs';
import { RetryingCallers, type Submission } from './retrying-callers';
import { compare, countJobs, readSurfaces, type Counts } from './surfaces';
import { ToldSteps } from './told-steps';

const TOKEN = 'token-of-prometheus-0123456789abcdef';
const RATIO = 0.01;
/** What a process has ended it has exported after this time at the latest, however busy the machine. */
const EXPORT_MS = 3_000;
const SETTLE_MS = 120_000;

/** What was compared, in a line, and what of it did not agree. */
export interface Finding {
  readonly line: string;
  readonly disagreements: readonly string[];
}

/** Two API replicas and two worker nodes that everything is observed of: jobs, counters, traces, alerts. */
export class Agreement {
  private cluster!: TestCluster;
  private redis!: Redis;
  private receiver!: OtlpReceiver;
  private told!: ToldSteps;
  private callers!: RetryingCallers;
  private killedReplica = -1;
  private killedNode = '';
  private killedAt = Infinity;

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
    this.killedNode = workers.find(({ nodeName }) => nodeName === 'dies')?.id ?? '';
    this.callers = new RetryingCallers(this.cluster, jobs);
    const begunAt = Date.now();
    const sending = this.callers.run(callers);
    await Promise.race([sending, waitFor('half of the jobs', () => this.callers.done >= jobs / 2, SETTLE_MS * 3)]);
    this.killHalfOfIt();
    const replacing = this.replaceNode();
    await sending;
    const sentMs = Date.now() - begunAt;
    await replacing;
    const all = await this.settle();
    const counts = countJobs(all.jobs.values());
    const sent = `${jobs} requests in ${Math.round(sentMs / 1_000)} s`;
    return [this.judgeJobs(all, counts, sent), ...(await this.judgeSurfaces(counts, workerPort)), ...(await this.judgeSpans(all)), await this.judgeAlerts()];
  } // prettier-ignore

  private get replica(): number {
    return 1 - this.killedReplica;
  }

  private killHalfOfIt(): void {
    const isElected = (api: TestProcess): boolean =>
      api
        .log()
        .match(/"isElected":(true|false)/g)
        ?.at(-1) === '"isElected":true';
    this.killedReplica = this.cluster.apis.findIndex(isElected);
    if (this.killedReplica < 0) throw new Error('no replica is elected');
    this.killedAt = Date.now();
    for (const victim of [this.cluster.workers[1], this.cluster.apis[this.killedReplica]]) victim?.process.kill('SIGKILL');
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

  private judgeJobs({ jobs, unlisted, repeated }: AllJobs, counts: Counts, sent: string): Finding {
    const { submissions, refusals } = this.callers;
    const told = new Map(submissions.flatMap((each) => (each.id === undefined ? [] : [[each.id, each] as const])));
    const ids = submissions.filter(({ id }) => id !== undefined).length;
    const broken = submissions.flatMap(({ tries }) => tries).filter(({ isBroken }) => isBroken).length;
    const untold = [...jobs.values()].filter(({ id, kind }) => kind !== 'check' && !told.has(id)).length;
    const disagreements = [
      ...[...told.keys()].filter((id) => !jobs.has(id)).map((id) => `${id} was accepted and is not there`),
      ...[...jobs.values()].filter(({ outcome }) => outcome === null).map(({ id, state }) => `${id} has no outcome: ${state}`),
      ...(ids === told.size ? [] : [`${ids - told.size} ids were told twice`]),
      ...(repeated === 0 ? [] : [`${repeated} jobs are listed twice`]),
      ...(untold <= broken ? [] : [`${untold} jobs nobody was told of, though only ${broken} connections broke`]),
      ...[...told].flatMap(([id, submission]) => this.judgeEnd(jobs.get(id), submission)),
    ];
    const ends = Object.entries(counts).filter(([name, count]) => count > 0 && !['accepted', 'finished', 'checks', 'not succeeded'].includes(name) && !name.startsWith('error '));
    const line = `jobs: ${sent}; accepted ${counts['accepted']}, with outcome ${counts['finished']} (${ends.map(([name, count]) => `${count} ${name}`).join(', ')}), syntax checks ${counts['checks']}; connections broken ${broken}, jobs whose caller was told nothing ${untold}, not listed ${unlisted}, refused ${JSON.stringify(refusals)}`;
    return { line, disagreements };
  } // prettier-ignore

  /** The one outcome is that which the caller was told, and one the job could have. */
  private judgeEnd(record: ListedJob | undefined, { job, status, id }: Submission): string[] {
    const { outcome = null, attempts = [] } = record ?? {};
    const end = outcome === null ? 'none' : outcome.status;
    const wasKilled = attempts.some(({ worker }) => this.isKilled(worker));
    const isPossible = job.ends.includes(end) || (wasKilled && ['lost', 'crashed'].includes(end));
    const problems: [boolean, string][] = [
      [status !== undefined && status !== end, `its caller was told ${status}`],
      [!isPossible, 'which it cannot'],
      [runsOnce(job) && attempts.length > 1, `and was started ${attempts.length} times`],
    ];
    return problems.filter(([isSo]) => isSo).map(([, words]) => `${id} (${job.name}) ended ${end}, ${words}`);
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

  private async judgeSpans(all: AllJobs): Promise<Finding[]> {
    const { receiver } = this;
    const bySubmission = new Map(this.callers.submissions.map((submission) => [submission.id, submission]));
    const sampled = [...all.jobs.values()].filter(({ traceId }) => isSampledAt(traceId, RATIO));
    const expected = sampled.map((job) => this.expect(job, bySubmission.get(job.id)));
    const judge = (): JudgedTraces => judgeTraces(receiver.spans, expected);
    await waitFor('all traces', () => judge().problems.length === 0).catch(() => undefined);
    const { whole, withoutRequest, withoutAttempt, gone, problems } = judge();
    const line = `sampled traces: of ${expected.length} jobs ${whole} are one whole tree each; killed with what it held: ${withoutRequest} lack the request, ${withoutAttempt} the attempt, ${gone} both`;
    return [{ line, disagreements: problems.map((problem) => `trace of ${problem}`) }, this.judgeOtherTraces(all)];
  }

  /** Of other requests: one span each. Of jobs that failed without being sampled: one tree, with the request if its caller waited. */
  private judgeOtherTraces({ jobs }: AllJobs): Finding {
    const ofJobs = new Map([...jobs.values()].map((job) => [job.traceId, job]));
    const waiting = new Set(this.callers.submissions.flatMap(({ id, job, tries }) => (job.waits && !this.mayLackRequest(tries) ? [id] : [])));
    const disagreements: string[] = [];
    const counts = { failed: 0, requests: 0 };
    for (const [traceId, spans] of groupByTrace(this.receiver.spans)) {
      const job = ofJobs.get(traceId);
      if (job !== undefined && isSampledAt(traceId, RATIO)) continue;
      counts[job === undefined ? 'requests' : 'failed'] += 1;
      const hasRequest = job === undefined || waiting.has(job.id);
      if (!isOneTree(spans, hasRequest)) disagreements.push(`trace ${traceId} of ${job?.id ?? 'a request'} is not one tree: ${spans.map(({ name }) => name).join(', ')}`);
      if (job?.outcome?.status === 'succeeded') disagreements.push(`${job.id} succeeded, was not sampled, and has a trace`);
    }
    const line = `other traces: ${counts.failed} of jobs that failed and were not sampled, ${counts.requests} of requests without a job of their own`;
    return { line, disagreements };
  } // prettier-ignore

  private expect({ id, traceId, attempts, finishedAt, worker }: ListedJob, submission: Submission | undefined): ExpectedTrace {
    const isHeld = (endedAt: number | null): boolean => endedAt === null || endedAt > this.killedAt - EXPORT_MS;
    const kept = attempts.filter((attempt) => !this.isKilled(attempt.worker) || !isHeld(attempt.finishedAt));
    const isSettledThere = this.isKilled(worker) && isHeld(finishedAt);
    return {
      traceId,
      jobId: id,
      attempts: kept.map(({ number }) => number),
      mayLackRequest: submission === undefined || this.mayLackRequest(submission.tries),
      mayLackAttempt: kept.length < attempts.length || isSettledThere,
    };
  }

  private mayLackRequest(tries: Submission['tries']): boolean {
    return tries.some(({ replica, endedAt }) => replica === this.killedReplica && endedAt > this.killedAt - EXPORT_MS);
  }

  private isKilled(worker: string | null): boolean {
    return worker === this.killedNode;
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

/** The predecessor's routes, and whoever asks for it. */
const runsOnce = ({ route, body }: MixedJob): boolean => route !== 'jobs' || body['delivery'] === 'at-most-once';
