/**
 * Every metric there is, by the name OpenTelemetry knows it under; `docs/metrics.md` is generated from this table. Names of
 * the semantic conventions are used where there is one; `python3_…` are the predecessor's, kept so that its dashboards go on.
 */
export interface MetricDefinition {
  readonly name: string;
  readonly type: 'counter' | 'gauge' | 'histogram';
  /** UCUM; '' for what has none. */
  readonly unit: string;
  /**
   * `cluster`: read from the store, so that every API replica says the same: take the maximum over replicas, not the sum.
   * Others are the process's own.
   */
  readonly from: 'cluster' | 'api' | 'worker' | 'process';
  readonly labels: readonly string[];
  readonly description: string;
  readonly boundaries?: readonly number[];
}

const SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300];
const BYTES = [8, 16, 32, 64, 128, 256, 512, 1_024, 2_048].map((megabytes) => megabytes * 1_048_576);

type Rest = Omit<MetricDefinition, 'name' | 'type' | 'unit' | 'from' | 'labels' | 'description'>;

const define =
  (from: MetricDefinition['from']) =>
  // prettier-ignore
  (
    type: MetricDefinition['type'],
    name: string,
    unit: string,
    labels: readonly string[],
    description: string,
    rest: Rest = {},
  ): MetricDefinition => ({ name, type, unit, from, labels, description, ...rest });

const cluster = define('cluster');
const api = define('api');
const worker = define('worker');
const anyProcess = define('process');

export const metricTable = {
  storeUp: cluster('gauge', 'python3.store.up', '', [], '1 while the figures of the cluster can be read; at 0 those told are the last known.'),
  storeAge: cluster('gauge', 'python3.store.age', 's', [], 'How old the figures of the cluster are.'),
  jobsAccepted: cluster('counter', 'python3.cluster.jobs.accepted', '{job}', ['lane'], 'Jobs accepted.'),
  jobsFinished: cluster('counter', 'python3.cluster.jobs.finished', '{job}', ['lane', 'kind', 'status'], 'Jobs that have an outcome. Counted in the step that writes it.'),
  jobsOpen: cluster('gauge', 'python3.cluster.jobs.open', '{job}', ['lane'], 'Jobs accepted that have no outcome.'),
  jobsWaiting: cluster('gauge', 'python3.cluster.jobs.waiting', '{job}', ['lane'], 'Jobs that could start now.'),
  jobsDelayed: cluster('gauge', 'python3.cluster.jobs.delayed', '{job}', ['lane'], 'Jobs that wait for their time.'),
  jobsActive: cluster('gauge', 'python3.cluster.jobs.active', '{job}', ['lane'], 'Jobs that a worker node has fetched.'),
  oldestWaiting: cluster('gauge', 'python3.cluster.jobs.oldest_waiting', 's', ['lane'], 'How long the job has waited that has waited longest; 0 where none waits.'),
  syntaxChecks: cluster('counter', 'python3.cluster.syntax_checks', '{check}', ['lane'], 'Syntax checks. They are no jobs in any other figure.'),
  queueQuantiles: cluster('gauge', 'python3.cluster.job.queue_time', 's', ['lane', 'percentile'], 'Time from acceptance to the start of jobs that ended in the last 5 minutes.'),
  runQuantiles: cluster('gauge', 'python3.cluster.job.run_time', 's', ['lane', 'percentile'], 'Time the code took, of the same jobs.'),
  cpuQuantiles: cluster('gauge', 'python3.cluster.job.cpu_time', 's', ['lane', 'percentile'], 'CPU time of all their processes.'),
  memoryQuantiles: cluster('gauge', 'python3.cluster.job.memory', 'By', ['lane', 'percentile'], 'Most memory they had.'),
  workersLive: cluster('gauge', 'python3.cluster.workers', '{node}', ['lane'], 'Live worker nodes that serve the lane.'),
  poolMax: cluster('gauge', 'python3.cluster.slots.max', '{slot}', ['node'], 'Slots a worker node may have.'),
  poolInUse: cluster('gauge', 'python3.cluster.slots.in_use', '{slot}', ['node'], 'Slots of a worker node that run a job.'),
  poolWaiting: cluster('gauge', 'python3.cluster.slots.waiting', '{job}', ['node'], 'Jobs on a worker node that wait for a slot.'),

  httpDuration: api('histogram', 'http.server.request.duration', 's', ['http.request.method', 'http.route', 'http.response.status_code'], 'HTTP requests, by route as it is defined; from the first scrape on.', { boundaries: SECONDS }),
  httpActive: api('gauge', 'http.server.active_requests', '{request}', [], 'Requests that are being answered, health and metrics aside.'),
  breakerState: api('gauge', 'python3.api.breaker', '', ['state'], '1 for the state the breaker around Redis is in.'),
  breakerOpened: api('counter', 'python3.api.breaker.opened', '{opening}', [], 'How often the breaker opened.'),
  redisWritable: api('gauge', 'python3.api.redis.writable', '', [], '1 while Redis takes writes of this replica.'),
  elected: api('gauge', 'python3.api.elected', '', [], '1 on the replica that is elected.'),

  outcomesWritten: worker('counter', 'python3.worker.outcomes', '{job}', ['lane', 'status'], 'Outcomes this worker node wrote.'),
  queueDuration: worker('histogram', 'python3.worker.job.queue_duration', 's', ['lane'], 'Time from acceptance to the start of jobs that ran here.', { boundaries: SECONDS }),
  runDuration: worker('histogram', 'python3.worker.job.run_duration', 's', ['lane', 'status'], 'Time their code took.', { boundaries: SECONDS }),
  cpuTime: worker('histogram', 'python3.worker.job.cpu_time', 's', ['lane'], 'CPU time of all their processes.', { boundaries: SECONDS }),
  memory: worker('histogram', 'python3.worker.job.memory', 'By', ['lane'], 'Most memory they had.', { boundaries: BYTES }),
  slots: worker('gauge', 'python3.worker.slots', '{slot}', ['state'], 'Slots in use and idle.'),
  slotsMax: worker('gauge', 'python3.worker.slots.max', '{slot}', [], 'Slots it may have.'),
  slotsWaiting: worker('gauge', 'python3.worker.slots.waiting', '{job}', [], 'Jobs that wait for a slot here.'),
  templatesUp: worker('gauge', 'python3.worker.templates.up', '{template}', ['mode'], '1 while the template of the mode is up.'),
  templateStarts: worker('counter', 'python3.worker.templates.started', '{start}', ['mode'], 'Templates started: one at the start, one for each that was worn or lost.'),
  warmChildren: worker('gauge', 'python3.worker.warm_children', '{process}', [], 'Processes kept for warm jobs.'),

  uptime: anyProcess('gauge', 'process.uptime', 's', [], 'Since the process started.'),
  cpu: anyProcess('counter', 'process.cpu.time', 's', ['cpu.mode'], 'CPU time of the process itself, its children aside.'),
  residentMemory: anyProcess('gauge', 'process.memory.usage', 'By', [], 'Resident memory of the process itself.'),
  loopDelayP99: anyProcess('gauge', 'nodejs.eventloop.delay.p99', 's', [], 'How late the event loop was in 1 of 100 turns since the last scrape.'),
  descriptors: anyProcess('gauge', 'python3.process.file_descriptors', '{file_descriptor}', [], 'Files, sockets and pipes it has open.'),
  descriptorsMax: anyProcess('gauge', 'python3.process.file_descriptors.limit', '{file_descriptor}', [], 'How many it may have open.'),
  logDropped: anyProcess('counter', 'python3.log.dropped', '{line}', [], 'Log lines that could not be written, or not fast enough, and were dropped.'),
  loopDelayMax: anyProcess('gauge', 'nodejs.eventloop.delay.max', 's', [], 'How late it was at worst.'),

  legacyPoolSize: cluster('gauge', 'python3_pool_size_total', '', [], 'Slots of all live worker nodes, as many as they may have.'),
  legacyPoolAvailable: cluster('gauge', 'python3_pool_available', '', [], 'Those that run no job.'),
  legacyPoolInUse: cluster('gauge', 'python3_pool_in_use', '', [], 'Those that do.'),
  legacyPoolUtilization: cluster('gauge', 'python3_pool_utilization_percent', '', [], 'In use of all, 0 to 100.'),
  legacyPoolHealthy: cluster('gauge', 'python3_pool_healthy_executors', '', [], 'Slots whose template is up.'),
  legacyPoolUnhealthy: cluster('gauge', 'python3_pool_unhealthy_executors', '', [], 'Slots whose template is not.'),
  legacyExecutions: cluster('counter', 'python3_executions_total', '', [], 'Jobs that have an outcome.'),
  legacySuccess: cluster('counter', 'python3_executions_success_total', '', [], 'Those that succeeded.'),
  legacyFailed: cluster('counter', 'python3_executions_failed_total', '', [], 'All others.'),
  legacyErrorRate: cluster('gauge', 'python3_error_rate_percent', '', [], 'Share of jobs of the last 5 minutes that did not succeed, 0 to 100.'),
  legacyResponseAverage: cluster('gauge', 'python3_response_time_ms_avg', '', [], 'Mean time the code took in the last 5 minutes, in ms.'),
  legacyResponseP50: cluster('gauge', 'python3_response_time_ms_p50', '', [], 'Its median.'),
  legacyResponseP95: cluster('gauge', 'python3_response_time_ms_p95', '', [], 'Its 95th percentile.'),
  legacyResponseP99: cluster('gauge', 'python3_response_time_ms_p99', '', [], 'Its 99th percentile.'),
  legacyUptime: cluster('gauge', 'python3_uptime_seconds', '', [], 'Since the longest running live worker node started.'),
} as const satisfies Record<string, MetricDefinition>; // prettier-ignore

export type MetricKey = keyof typeof metricTable;

const UNIT_SUFFIXES: Readonly<Record<string, string>> = { s: '_seconds', By: '_bytes' };

/** As Prometheus has it: dots become underscores, the unit is said, counters end in `_total`. */
export function prometheusNameOf({ name, unit, type }: Pick<MetricDefinition, 'name' | 'unit' | 'type'>): string {
  const plain = name.replace(/[^a-zA-Z0-9_]/g, '_');
  const withUnit = plain + (UNIT_SUFFIXES[unit] ?? '');
  return type === 'counter' && !withUnit.endsWith('_total') ? `${withUnit}_total` : withUnit;
}
