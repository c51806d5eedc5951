import type {
  AlertReading,
  ClusterReading,
  HealthReading,
  LaneReading,
  RunningReading,
  SummaryReading,
  WindowReading,
  WorkerReading,
} from './cluster-reading';
import { requestJson, type ApiAddress } from './request-json';
import type { JsonFields } from './json-fields';

const PATHS = {
  summary: '/api/v1/metrics',
  lanes: '/api/v1/metrics/lanes',
  workers: '/api/v1/workers',
  workerFigures: '/api/v1/metrics/workers',
  alerts: '/api/v1/alerts',
  running: '/api/v1/running',
} as const;

/** Asks the API for all that is shown, at once. Never throws: what cannot be read is said. */
export async function readCluster(api: ApiAddress, signal?: AbortSignal): Promise<ClusterReading> {
  const health = await requestJson(api, '/health', signal);
  // More time-outs would tell no more than one.
  if (health.fields === undefined) return { problems: [health.problem], lanes: [], workers: [], alerts: [], running: [] };
  const names = Object.keys(PATHS) as (keyof typeof PATHS)[];
  const answers = await Promise.all(names.map((name) => requestJson(api, PATHS[name], signal)));
  const problems = answers.flatMap((answer) => (answer.fields === undefined ? answer.problem : []));
  const told = Object.fromEntries(names.map((name, index) => [name, answers[index]?.fields])) as Told;
  return {
    problems: [...new Set(problems)],
    health: toHealth(health.fields),
    ...(told.summary !== undefined && { summary: toSummary(told.summary) }),
    lanes: told.lanes?.list('lanes').map(toLane) ?? [],
    workers: toWorkers(told),
    alerts: told.alerts?.list('active').map(toAlert) ?? [],
    running: told.running?.list('jobs').map(toRunning) ?? [],
  };
}

type Told = Readonly<Record<keyof typeof PATHS, JsonFields | undefined>>;

/** Those of the registry, which is known also while the figures cannot be read. */
function toWorkers({ workers, workerFigures }: Told): WorkerReading[] {
  const figuresOf = new Map(workerFigures?.list('workers').map((entry) => [entry.text('id'), entry.object('lastFiveMinutes')]));
  return workers?.list('workers').map((worker) => toWorker(worker, figuresOf.get(worker.text('id')))) ?? [];
}

function toHealth(fields: JsonFields): HealthReading {
  return {
    status: fields.text('status') ?? 'unknown',
    reasons: fields.list('reasons').flatMap((reason) => reason.text('message') ?? reason.text('code') ?? []),
    redisWritable: fields.object('redis').flag('writable'),
    breaker: fields.text('breaker') ?? 'unknown',
    isolationLevel: fields.text('isolationLevel'),
    version: fields.text('version'),
  };
}

function toSummary(fields: JsonFields): SummaryReading {
  const jobs = fields.object('jobs');
  const pool = fields.object('pool');
  return {
    readAt: fields.number('readAt') ?? 0,
    accepted: jobs.number('accepted'),
    open: jobs.number('open'),
    finished: jobs.number('finished'),
    succeeded: jobs.number('succeeded'),
    failed: jobs.number('failed'),
    notRun: jobs.number('notRun'),
    waiting: fields.number('waiting'),
    lastMinute: toWindow(fields.object('lastMinute')),
    lastFiveMinutes: toWindow(fields.object('lastFiveMinutes')),
    slotsInUse: pool.number('inUse'),
    slotsMax: pool.number('max'),
  };
}

function toWindow(fields: JsonFields): WindowReading {
  const percentiles = (name: string): WindowReading['runMs'] => {
    const distribution = fields.object(name);
    return { count: distribution.number('count') ?? 0, p50: distribution.number('p50'), p95: distribution.number('p95') };
  };
  return {
    perMinute: fields.number('perMinute'),
    failureShare: fields.number('failureShare'),
    queuedMs: percentiles('queuedMs'),
    runMs: percentiles('runMs'),
  };
}

function toLane(fields: JsonFields): LaneReading {
  return {
    lane: fields.text('lane') ?? '?',
    workers: fields.number('workers'),
    waiting: fields.number('waiting'),
    delayed: fields.number('delayed'),
    active: fields.number('active'),
    oldestWaitingMs: fields.number('oldestWaitingMs'),
    lastFiveMinutes: toWindow(fields.object('lastFiveMinutes')),
  };
}

function toWorker(fields: JsonFields, lastFiveMinutes: JsonFields | undefined): WorkerReading {
  const pool = fields.object('pool');
  const host = fields.object('host');
  return {
    id: fields.text('id') ?? '?',
    level: fields.text('level'),
    lanes: fields.texts('lanes'),
    draining: fields.flag('draining'),
    inUse: pool.number('inUse'),
    max: pool.number('max'),
    waiting: pool.number('waiting'),
    finished: lastFiveMinutes?.number('finished'),
    failed: lastFiveMinutes?.number('failed'),
    cpuShare: host.number('cpuShare'),
    memoryUsedBytes: host.number('memoryUsedBytes'),
    memoryTotalBytes: host.number('memoryTotalBytes'),
  };
}

function toRunning(fields: JsonFields): RunningReading {
  const attempt = fields.list('attempts').at(-1);
  return {
    id: fields.text('id') ?? '?',
    owner: fields.text('owner') ?? '?',
    kind: fields.text('kind') ?? '?',
    mode: fields.text('mode') ?? '?',
    lane: fields.text('lane') ?? '?',
    worker: attempt?.text('worker') ?? '',
    startedAt: attempt?.number('startedAt') ?? fields.number('createdAt'),
    isCancelled: fields.number('cancelRequestedAt') !== undefined,
  };
}

function toAlert(fields: JsonFields): AlertReading {
  return {
    name: fields.text('name') ?? '?',
    subject: fields.text('subject') ?? '',
    severity: fields.text('severity') ?? '?',
    state: fields.text('state') ?? '?',
    message: fields.text('message') ?? '',
    startedAt: fields.number('startedAt'),
  };
}
