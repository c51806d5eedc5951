import { createRedisKeys } from '@python3-cluster/shared';
import type { Redis } from 'ioredis';
import { call, legacy } from '../support/call';
import type { PrometheusServer } from '../support/prometheus-server';
import { ADMIN_KEY, type TestCluster } from '../support/test-cluster';
import type { ListedJob } from './listed-jobs';

/**
 * Name → number: `accepted`, `finished`, `open`, `checks`, each status, `not succeeded`, and `error <type>`. A surface is held to
 * those it tells; one that tells error types is held to all of them.
 */
export type Counts = Readonly<Record<string, number>>;

export interface Surface {
  readonly name: string;
  readonly counts: Counts;
}

const STATUSES = [
  'succeeded',
  'failed',
  'timed_out',
  'out_of_memory',
  'cpu_exceeded',
  'crashed',
  'cancelled',
  'expired',
  'lost',
  'rejected',
];

/** What the records of the jobs themselves say: the truth that all others are held against. */
export function countJobs(jobs: Iterable<ListedJob>): Counts {
  const counts: Record<string, number> = { accepted: 0, finished: 0, checks: 0, open: 0, 'not succeeded': 0, ...zeros() };
  for (const { kind, outcome } of jobs) {
    if (kind === 'check') {
      raise(counts, 'checks');
      continue;
    }
    raise(counts, 'accepted');
    raise(counts, outcome === null ? 'open' : 'finished');
    if (outcome === null) continue;
    raise(counts, outcome.status);
    if (outcome.status !== 'succeeded') raise(counts, 'not succeeded');
    if (outcome.error !== null) raise(counts, `error ${outcome.error.type}`);
  }
  return counts;
}

export interface SurfaceReaders {
  readonly cluster: TestCluster;
  readonly replica: number;
  readonly redis: Redis;
  readonly token: string;
  readonly prometheus: PrometheusServer | undefined;
}

export async function readSurfaces(readers: SurfaceReaders): Promise<Surface[]> {
  const { cluster, replica, token, prometheus } = readers;
  const modern = async (path = ''): Promise<any> => (await call(cluster, `/api/v1/metrics${path}`, undefined, { replica, key: ADMIN_KEY })).json; // eslint-disable-line @typescript-eslint/no-explicit-any -- JSON, as a caller without types reads it
  const scraped = (await call(cluster, '/metrics', undefined, { replica, key: null, headers: { authorization: `Bearer ${token}` } })).text;
  const [summary, { lanes }, { keys }, { points }, old] = await Promise.all([
    modern(),
    modern('/lanes'),
    modern('/keys'),
    modern('/range'),
    legacy(cluster, 'metrics', undefined, { replica }).then(({ json }) => json),
  ]);
  const sum = (list: readonly Record<string, number>[], name: string): number => list.reduce((total, each) => total + (each[name] ?? 0), 0);
  const { accepted, finished, open, byStatus, errors } = summary.jobs;
  return [
    { name: 'store counters', counts: await readStore(readers) },
    { name: 'modern /api/v1/metrics', counts: { accepted, finished, open, checks: summary.syntaxChecks, ...byStatus, ...prefix('error ', errors) } },
    { name: 'modern /lanes', counts: { ...pick(lanes[0].totals, 'accepted', 'finished', 'open'), ...lanes[0].totals.byStatus } },
    { name: 'modern /keys', counts: { finished: sum(keys, 'finished'), succeeded: sum(keys, 'succeeded') } },
    { name: 'modern /range', counts: { finished: sum(points, 'finished') } },
    {
      name: 'predecessor’s metrics',
      counts: {
        finished: old.total_executions, succeeded: old.successful_executions, 'not succeeded': old.failed_executions,
        ...prefix('error ', old.error_counts),
      },
    },
    { name: 'Prometheus /metrics', counts: readScraped(scraped) },
    ...(prometheus === undefined ? [] : [{ name: 'a real Prometheus', counts: await query(prometheus) }]),
  ];
} // prettier-ignore

/** Names that differ from the truth, in words; empty where the surface agrees to the job. */
export function compare(truth: Counts, { counts }: Surface): string[] {
  const tellsErrors = Object.keys(counts).some((name) => name.startsWith('error '));
  const names = new Set([...Object.keys(counts), ...Object.keys(truth).filter((name) => tellsErrors && name.startsWith('error '))]);
  return [...names]
    .filter((name) => (counts[name] ?? 0) !== (truth[name] ?? 0) || Number.isNaN(counts[name]))
    .map((name) => `${name} ${counts[name] ?? 0}, not ${truth[name] ?? 0}`);
}

async function readStore({ cluster, redis }: SurfaceReaders): Promise<Counts> {
  const fields = await redis.hgetall(createRedisKeys(cluster.namespace).counts('default'));
  const counts: Record<string, number> = { accepted: 0, finished: 0, checks: 0, ...zeros() };
  for (const [field, text] of Object.entries(fields)) {
    const [family, kind = '', status = ''] = field.split(':');
    if (field === 'accepted') counts['accepted'] = Number(text) - Number(fields['withdrawn'] ?? 0);
    if (family !== 'jobs') continue;
    if (kind === 'check') raise(counts, 'checks', Number(text));
    else for (const name of ['finished', status]) raise(counts, name, Number(text));
  }
  return counts;
}

function readScraped(text: string): Counts {
  const read = (metric: string, label = ''): number =>
    text
      .split('\n')
      .filter((line) => (line.startsWith(`${metric}{`) || line.startsWith(`${metric} `)) && line.includes(label))
      .reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' '))), 0);
  return {
    accepted: read('python3_cluster_jobs_accepted_total'),
    finished: read('python3_executions_total'),
    succeeded: read('python3_executions_success_total'),
    'not succeeded': read('python3_executions_failed_total'),
    open: read('python3_cluster_jobs_open'),
    checks: read('python3_cluster_syntax_checks_total'),
    ...Object.fromEntries(STATUSES.map((status) => [status, read('python3_cluster_jobs_finished_total', `status="${status}"`)])),
  };
}

async function query(prometheus: PrometheusServer): Promise<Counts> {
  const ask = async (expression: string): Promise<number> => (await prometheus.query(`sum(${expression}) or vector(0)`)) ?? Number.NaN;
  const counts: Record<string, number> = {
    accepted: await ask('python3_cluster_jobs_accepted_total'),
    finished: await ask('python3_executions_total'),
    open: await ask('python3_cluster_jobs_open'),
    checks: await ask('python3_cluster_syntax_checks_total'),
  };
  for (const status of STATUSES) counts[status] = await ask(`python3_cluster_jobs_finished_total{status="${status}"}`);
  return counts;
}

const zeros = (): Record<string, number> => Object.fromEntries(STATUSES.map((status) => [status, 0]));
const raise = (counts: Record<string, number>, name: string, by = 1): void => void (counts[name] = (counts[name] ?? 0) + by);
const prefix = (start: string, counts: Counts): Counts =>
  Object.fromEntries(Object.entries(counts).map(([name, count]) => [start + name, count]));
const pick = (counts: Counts, ...names: string[]): Counts => Object.fromEntries(names.map((name) => [name, counts[name] ?? Number.NaN]));
