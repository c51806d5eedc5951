import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { createRedisKeys } from '@python3-cluster/shared';
import { Redis } from 'ioredis';
import { listExpressions } from '../deploy/dashboards';
import { call, exec, legacy, runJob } from '../support/call';
import { MetricsCollector } from '../support/metrics-collector';
import { itIf } from '../support/optional';
import { checkMetrics, hasPrometheus, PrometheusServer } from '../support/prometheus-server';
import { ADMIN_KEY, TestCluster } from '../support/test-cluster';
import { freePort } from '../support/test-redis';
import { waitFor } from '../support/wait-for';

const TOKEN = 'token-of-prometheus-0123456789abcdef';
let cluster: TestCluster;
let redis: Redis;
let workerPort: number;
const collector = new MetricsCollector();

beforeAll(async () => {
  cluster = await TestCluster.start({ apis: 2, workers: 0, settings: { PYTHON3_METRICS_TOKEN: TOKEN, PYTHON3_POOL_MAX: '4', PYTHON3_LANES: 'default,vision' } });
  workerPort = await freePort();
  const OTEL_EXPORTER_OTLP_ENDPOINT = await collector.start();
  cluster.startWorker({ PYTHON3_WORKER_METRICS_PORT: String(workerPort), OTEL_EXPORTER_OTLP_ENDPOINT, OTEL_METRIC_EXPORT_INTERVAL: '500', OTEL_TRACES_EXPORTER: 'none' });
  cluster.startWorker({ PYTHON3_LANES: 'default' });
  await cluster.waitForWorkers(2);
  // Each replica hears of them by itself.
  await waitFor('the other replica to know them', async () => (await call(cluster, '/api/v1/workers', undefined, { replica: 1 })).json.workers.length === 2);
  redis = new Redis(cluster.redisUrl);
}, 60_000); // prettier-ignore
afterAll(async () => {
  redis.disconnect();
  await cluster.stop();
  await collector.stop();
});

/** Sum of a metric's series whose labels hold the given text. */
function read(text: string, metric: string, labels = ''): number {
  const lines = text.split('\n').filter((line) => line.startsWith(`${metric}{`) || line.startsWith(`${metric} `));
  return lines.filter((line) => line.includes(labels)).reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' '))), 0);
}
const scrape = async (replica = 0): Promise<string> =>
  (await call(cluster, '/metrics', undefined, { replica, key: null, headers: { authorization: `Bearer ${TOKEN}` } })).text;

/** The number of jobs each surface counts. */
async function countEverywhere(): Promise<Record<string, number>> {
  const keys = createRedisKeys(cluster.namespace);
  const stored = await Promise.all(['default', 'vision'].map((lane) => redis.hgetall(keys.counts(lane))));
  const jobs = (prefix: string): number =>
    stored.flatMap((fields) => Object.entries(fields)).filter(([field]) => field.startsWith(prefix) && !field.startsWith('jobs:check')).reduce((sum, [, count]) => sum + Number(count), 0);
  const surfaces: Record<string, number> = { accepted: jobs('accepted') - (await checks()), store: jobs('jobs:') };
  for (const replica of [0, 1]) {
    const old = (await legacy(cluster, 'metrics', undefined, { replica })).json;
    surfaces[`legacy ${replica}`] = old.total_executions as number;
    surfaces[`legacy parts ${replica}`] = (old.successful_executions as number) + (old.failed_executions as number);
    surfaces[`modern ${replica}`] = (await call(cluster, '/api/v1/metrics', undefined, { replica })).json.jobs.finished as number;
    surfaces[`prometheus ${replica}`] = read(await scrape(replica), 'python3_cluster_jobs_finished_total');
    surfaces[`predecessor’s prometheus ${replica}`] = read(await scrape(replica), 'python3_executions_total');
  }
  const range = (await call(cluster, '/api/v1/metrics/range')).json.points as { finished: number }[];
  surfaces['range'] = range.reduce((sum, { finished }) => sum + finished, 0);
  return surfaces;

  async function checks(): Promise<number> {
    return Number((await redis.hget(keys.counts('default'), 'accepted-checks')) ?? 0);
  }
} // prettier-ignore

it('all surfaces of all replicas count the same jobs, also those of a worker node that is killed under them', async () => {
  const codes = ['result = 1', 'raise ValueError("x")', 'import time\ntime.sleep(0.05)', 'import os\nos._exit(3)', 'result = (', 'x = [0] * 10**9'];
  const ids: string[] = [];
  const submit = async (index: number): Promise<void> => {
    const lane = index % 3 === 0 ? 'vision' : 'default';
    const body = index % 7 === 0 ? { kind: 'call', module: 'math', function: 'sqrt', args: [index] } : { code: codes[index % codes.length] };
    // On a busy machine Redis may be too slow for a request: who is refused asks again, by a key that makes it one job.
    const headers = { 'idempotency-key': randomUUID() };
    const options = { key: ADMIN_KEY, replica: index % 2, headers };
    const accepted = await waitFor('it to be accepted', async () => {
      const answer = await call(cluster, '/api/v1/jobs', { ...body, lane, mode: 'admin', memoryMb: 64 }, options);
      expect([202, 503]).toContain(answer.status);
      return answer.status === 202 && answer;
    });
    ids.push(accepted.json.id as string);
  };
  await Promise.all(Array.from({ length: 120 }, (_, index) => submit(index)));
  for (const id of ids.slice(-20, -10)) await call(cluster, `/api/v1/jobs/${id}`, undefined, { key: ADMIN_KEY, method: 'DELETE' });
  await cluster.workers[1]?.stop('SIGKILL');
  await Promise.all(Array.from({ length: 40 }, (_, index) => submit(index)));
  await exec(cluster, 'result = 1');
  await legacy(cluster, 'check-syntax', { code: 'x =' });
  const wanted = ids.length + 1;
  await waitFor('all outcomes, and all surfaces to agree', async () => {
    const surfaces = await countEverywhere();
    return Object.values(surfaces).every((count) => count === wanted);
  }, 40_000).catch(async () => expect(await countEverywhere()).toEqual({ all: wanted }));
  // and to the truth
  const statuses: Record<string, number> = { succeeded: 1 };
  for (const id of ids) {
    const { outcome } = (await call(cluster, `/api/v1/jobs/${id}`, undefined, { key: ADMIN_KEY })).json as { outcome: { status: string } };
    statuses[outcome.status] = (statuses[outcome.status] ?? 0) + 1;
  }
  const text = await scrape();
  for (const [status, count] of Object.entries(statuses)) expect([status, read(text, 'python3_cluster_jobs_finished_total', `status="${status}"`)]).toEqual([status, count]);
  expect(read(text, 'python3_cluster_syntax_checks_total')).toBe(1);
  expect(read(text, 'python3_cluster_jobs_open')).toBe(0);
}, 90_000); // prettier-ignore

it('the modern routes tell lanes, scripts, keys, worker nodes and ranges, with percentiles', async () => {
  await waitFor('samples', async () => ((await call(cluster, '/api/v1/metrics')).json.lastFiveMinutes.runMs.count as number) > 50);
  const { jobs, lastFiveMinutes, pool } = (await call(cluster, '/api/v1/metrics')).json;
  expect(jobs.errors).toMatchObject({ ValueError: expect.any(Number), SyntaxError: expect.any(Number) });
  expect(jobs.byKind).toMatchObject({ exec: { succeeded: expect.any(Number) }, call: { succeeded: expect.any(Number) } });
  expect(lastFiveMinutes.runMs.p99).toBeGreaterThanOrEqual(lastFiveMinutes.runMs.p50);
  expect(lastFiveMinutes.memoryMb.p50).toBeGreaterThan(1);
  expect(lastFiveMinutes.cpuMs.p50).toBeGreaterThan(0);
  expect(pool.max).toBeGreaterThanOrEqual(4);
  const { lanes } = (await call(cluster, '/api/v1/metrics/lanes')).json;
  expect(lanes.map(({ lane }: { lane: string }) => lane)).toEqual(['default', 'vision']);
  expect(lanes[1].totals.finished).toBeGreaterThan(40);
  const { scripts } = (await call(cluster, '/api/v1/metrics/scripts')).json;
  const sqrt = scripts.find(({ script }: { script: string }) => script === 'math.sqrt');
  expect(sqrt).toMatchObject({ failed: 0, errors: {} });
  expect(sqrt.runMs.p95).toBeGreaterThan(0);
  const { keys } = (await call(cluster, '/api/v1/metrics/keys', undefined, { key: ADMIN_KEY })).json;
  expect(keys.map(({ owner }: { owner: string }) => owner)).toEqual(['key:admin', 'key:developer']);
  const workers = await waitFor('the killed one to count as gone', async () => {
    const { workers: live } = (await call(cluster, '/api/v1/metrics/workers')).json;
    return (live as unknown[]).length === 1 && (live as unknown[]);
  });
  expect(workers[0]).toMatchObject({ lanes: ['default', 'vision'], lastFiveMinutes: { finished: expect.any(Number) } });
  const { points } = (await call(cluster, '/api/v1/metrics/range?step=120&lane=vision')).json;
  expect(points).toHaveLength(30);
  expect(points.at(-1).finished + points.at(-2).finished).toBeGreaterThan(40);
}); // prettier-ignore

it('code counts by its digest, known again by its first line and labels, which only its owner and admins see', async () => {
  const code = '# not this line\n\nresult = 6 * 7  # which program?\n';
  const secret = 'result = 6 * 8  # of the admin';
  for (const labels of [{}, { script: 'mill-3' }]) for (let count = 0; count < 2; count += 1) await runJob(cluster, { code, labels });
  await runJob(cluster, { code: secret }, { key: ADMIN_KEY });
  await runJob(cluster, { kind: 'eval', expression: '6 * 9' });
  interface Script { script: string; finished: number; about: { firstLine: string; labels: object; owner: string } | null }
  const read = async (key?: string): Promise<Script[]> => (await call(cluster, '/api/v1/metrics/scripts?limit=200', undefined, key === undefined ? {} : { key })).json.scripts;
  const known = (all: Script[], line: string): Script | undefined => all.find(({ about }) => about?.firstLine === line);
  const all = await waitFor('the notes', async () => {
    const found = await read(ADMIN_KEY);
    return [secret, '6 * 9', 'result = 6 * 7  # which program?'].every((line) => known(found, line)) && found;
  });
  const own = known(await read(), 'result = 6 * 7  # which program?');
  expect(own).toMatchObject({ script: expect.stringMatching(/^code:[A-Za-z0-9_-]{43}$/), finished: 4, about: { owner: 'key:developer' } });
  // Counted for everybody, shown to whom may see it.
  const theirs = known(all, secret)?.script;
  expect((await read()).find(({ script }) => script === theirs)).toMatchObject({ finished: 1, about: null });
  expect((await call(cluster, '/api/v1/metrics/scripts?limit=200')).text).not.toContain('of the admin');
  const predecessors = (await legacy(cluster, 'metrics/script-metrics', undefined, { key: ADMIN_KEY })).json.script_metrics as { script_identifier: string; first_line?: string }[];
  expect(predecessors.find(({ script_identifier }) => script_identifier === own?.script)?.first_line).toBe('result = 6 * 7  # which program?');
  expect(cluster.workers.map((worker) => worker.log()).join('')).not.toContain('which program?');
}); // prettier-ignore

it('who the callers are is for admins; figures are for every key; strangers see none', async () => {
  for (const path of ['', '/lanes', '/scripts', '/workers', '/range']) {
    expect([path, (await call(cluster, `/api/v1/metrics${path}`)).status]).toEqual([path, 200]);
    expect([path, (await call(cluster, `/api/v1/metrics${path}`, undefined, { key: null })).status]).toEqual([path, 401]);
  }
  expect((await call(cluster, '/api/v1/metrics/keys')).json.error.code).toBe('AUTH_ROLE_INSUFFICIENT');
  expect((await call(cluster, '/metrics')).status).toBe(200);
  expect((await call(cluster, '/metrics', undefined, { key: null })).status).toBe(401);
  expect((await call(cluster, '/metrics', undefined, { key: `${TOKEN}x` })).status).toBe(401);
  expect((await call(cluster, '/api/v1/workers', undefined, { key: TOKEN })).status).toBe(401);
});

it.each([
  ['range?step=61'], ['range?step=0'], ['range?from=x'], ['range?to=5&from=9'], ['range?lane=A%20b'], ['range?until=5'], ['scripts?limit=0'], ['scripts?limit=201'], ['lanes?x=1'],
])('%s is refused', async (path) => expect((await call(cluster, `/api/v1/metrics/${path}`)).status).toBe(400)); // prettier-ignore

it('the predecessor’s routes tell live figures under its names, and under those its client reads', async () => {
  const metrics = (await legacy(cluster, 'metrics')).json;
  expect(metrics.success_rate).toBeCloseTo((100 * metrics.successful_executions) / metrics.total_executions, 1);
  expect(metrics.health_score).toBe(Math.round(0.7 * metrics.success_rate + 0.3 * (100 - metrics.pool_utilization)));
  expect(metrics.error_counts).toMatchObject({ ValueError: expect.any(Number) });
  for (const name of [
    'total_execution_time_ms', 'average_execution_time_ms', 'min_execution_time_ms', 'max_execution_time_ms', 'pool_size', 'active_executions',
    'pool_wait_count', 'average_pool_wait_ms', 'uptime_ms', 'uptime_hours',
  ])
    expect([name, typeof metrics[name]]).toEqual([name, 'number']);
  expect(metrics.max_execution_time_ms).toBeGreaterThan(40);
  const impact = (await legacy(cluster, 'gateway-impact')).json;
  expect(impact).toMatchObject({ impact_level: impact.impactLevel, health_score: impact.healthScore, recommendation: expect.any(String) });
  expect(impact.executions_per_minute).toBeGreaterThan(5);
  expect(impact.average_cpu_time_ms).toBeLessThan(5_000);
  const scripts = (await legacy(cluster, 'metrics/script-metrics')).json;
  expect(scripts).toMatchObject({ success: true, count: scripts.script_metrics.length });
  const sqrt = scripts.script_metrics.find(({ script_identifier }: { script_identifier: string }) => script_identifier === 'math.sqrt');
  expect(sqrt.success_rate).toBeGreaterThan(50);
  const historical = await waitFor('a snapshot', async () => {
    const answer = (await legacy(cluster, 'metrics/historical', undefined, { replica: 1 })).json;
    return answer.count > 0 && answer;
  });
  expect(historical.historical_metrics[0]).toMatchObject({ timestamp: expect.any(Number), pool_size: expect.any(Number), pool_utilization: expect.any(Number) });
}); // prettier-ignore

it('a worker node tells its own figures on its port, to whom has the token', async () => {
  const ask = (path: string, token = TOKEN): Promise<Response> => fetch(`http://127.0.0.1:${workerPort}${path}`, { headers: { authorization: `Bearer ${token}` } });
  await runJob(cluster, { code: 'result = 1', lane: 'vision' });
  const text = await (await ask('/metrics')).text();
  expect(read(text, 'python3_worker_outcomes_total', 'lane="vision"')).toBeGreaterThan(40);
  expect(read(text, 'python3_worker_job_run_duration_seconds_count')).toBeGreaterThan(40);
  expect(read(text, 'python3_worker_slots_max')).toBe(4);
  expect(read(text, 'python3_worker_templates_up')).toBe(2);
  expect(read(text, 'process_memory_usage_bytes')).toBeGreaterThan(10_000_000);
  expect([(await ask('/metrics', 'x')).status, (await ask('/other')).status, (await ask('/health/live', 'x')).status]).toEqual([401, 404, 200]);
}); // prettier-ignore

it('the same figures are pushed by OTLP', async () => {
  const outcomesOf = (): number => {
    const points = collector.told()?.metrics.find(({ name }) => name === 'python3.worker.outcomes')?.sum?.dataPoints ?? [];
    return points.reduce((sum, { asDouble, asInt }) => sum + Number(asDouble ?? asInt ?? 0), 0);
  };
  const response = await fetch(`http://127.0.0.1:${workerPort}/metrics`, { headers: { authorization: `Bearer ${TOKEN}` } });
  const scraped = read(await response.text(), 'python3_worker_outcomes_total');
  await waitFor('a push with all of them', () => outcomesOf() === scraped);
  const told = collector.told();
  expect(told?.resource).toMatchObject({ 'service.name': 'python3-cluster-worker', 'service.instance.id': expect.any(String) });
  expect(told?.metrics.find(({ name }) => name === 'python3.worker.job.run_duration')).toMatchObject({ unit: 's', histogram: { dataPoints: expect.any(Array) } });
}); // prettier-ignore

it('figures are told while every slot is held, and requests are measured by route', async () => {
  const held = await Promise.all(Array.from({ length: 5 }, () => call(cluster, '/api/v1/jobs', { code: 'import time\ntime.sleep(30)', mode: 'admin' }, { key: ADMIN_KEY })));
  await waitFor('a full pool', async () => (await legacy(cluster, 'metrics')).json.pool_utilization === 100);
  const text = await waitFor('it in Prometheus', async () => {
    const scraped = await scrape();
    return read(scraped, 'python3_pool_utilization_percent') === 100 && scraped;
  });
  expect(read(text, 'http_server_request_duration_seconds_count', 'http_route="/api/v1/jobs"')).toBeGreaterThan(0);
  expect(read(text, 'python3_store_up')).toBe(1);
  for (const { json } of held) await call(cluster, `/api/v1/jobs/${json.id}`, undefined, { key: ADMIN_KEY, method: 'DELETE' });
}); // prettier-ignore

/** What a dashboard asks that is rightly empty here, and why. */
const EMPTY: Readonly<Record<string, string>> = {
  'overview.json: Firing alerts': 'nothing has been wrong for long enough',
};

/** Every panel and variable of the dashboards shows a number of this cluster, and every rule can be evaluated. */
async function showEverything(prometheus: PrometheusServer): Promise<void> {
  let left = listExpressions('default').filter(({ where }) => EMPTY[where] === undefined);
  const shown = await waitFor('all panels to show something', async () => {
    await exec(cluster, 'result = 1');
    const values = await Promise.all(left.map(({ expr }) => prometheus.values(expr)));
    left = left.filter((_, index) => !values[index]?.some(Number.isFinite));
    return left.length === 0;
  }, 30_000).catch(() => false); // prettier-ignore
  expect({ shown, left }).toEqual({ shown: true, left: [] });
  expect(await prometheus.failedRules()).toEqual([]);
  expect(await prometheus.query('python3_nodes:count')).toBe(1);
  expect(await prometheus.query('python3_slots:utilization')).toBeLessThan(1);
}

/** Names that promtool has a word about: the predecessor's, which are kept as they were. */
const PREDECESSORS = /^(?:python3_pool_size_total|python3_response_time_ms_\w+) /;

itIf(hasPrometheus(), 'no prometheus')('a real Prometheus scrapes API and worker node and answers with their figures', async () => {
  const finished = await waitFor('the jobs cancelled before', async () => {
    const { jobs } = (await call(cluster, '/api/v1/metrics')).json;
    return jobs.open === 0 && (jobs.finished as number);
  });
  const prometheus = await PrometheusServer.start(TOKEN, cluster.ports[0] ?? 0, workerPort);
  try {
    await waitFor('both targets', async () => (await prometheus.query('sum(up)')) === 2);
    await waitFor('all jobs', async () => (await prometheus.query('sum(python3_cluster_jobs_finished_total)')) === finished);
    expect(await prometheus.query('python3_executions_success_total + python3_executions_failed_total')).toBe(finished);
    expect(await prometheus.query('sum(python3_cluster_jobs_accepted_total) - sum(python3_cluster_jobs_finished_total)')).toBe(0);
    expect(await prometheus.query('python3_cluster_workers{lane="default"}')).toBe(1);
    expect(await prometheus.query('histogram_quantile(0.95, sum by (le) (python3_worker_job_run_duration_seconds_bucket))')).toBeGreaterThan(0);
    expect(await prometheus.query('sum(python3_worker_outcomes_total) > 40')).toBeLessThanOrEqual(finished);
    await showEverything(prometheus);
  } finally {
    await prometheus.stop();
  }
  const worker = await fetch(`http://127.0.0.1:${workerPort}/metrics`, { headers: { authorization: `Bearer ${TOKEN}` } });
  expect(checkMetrics(await worker.text())).toBe('');
  const remarks = checkMetrics(await scrape()).split('\n').filter((line) => line !== '' && !PREDECESSORS.test(line));
  expect(remarks).toEqual([]);
}, 60_000); // prettier-ignore
