import type { AlertReading, ClusterReading, HealthReading, LaneReading, SummaryReading, WorkerReading } from './cluster-reading';
import { formatBar, formatCount, formatDuration, formatRate, formatShare, UNKNOWN } from './format-figure';
import type { Segment, Style, StyledLine } from './styled-line';
import { formatTable, type Column } from './table';

export interface TopView {
  readonly url: string;
  /** Epoch ms, by the clock of this host. */
  readonly now: number;
  readonly reading: ClusterReading;
  /** Jobs that ended per second, over the last seconds; undefined where only one reading was taken. */
  readonly perSecond: number | undefined;
  /** Since when the API cannot be reached; the figures are the last known. */
  readonly unreachableSince?: number;
  readonly warning?: string;
}

export interface TerminalSize {
  readonly columns: number;
  readonly rows: number;
}

const LABEL_WIDTH = 8;

/** The whole picture, at most as many lines as the terminal has. */
export function renderTop(view: TopView, { columns, rows }: TerminalSize): StyledLine[] {
  const { reading } = view;
  const head = [formatHeader(view), ...formatProblems(view), ...formatSummary(view, columns), []];
  const alerts = [...reading.alerts].sort(bySeverity);
  const lanes = [...reading.lanes].sort((a, b) => (b.waiting ?? 0) - (a.waiting ?? 0) || compare(a.lane, b.lane));
  const workers = [...reading.workers].sort((a, b) => compare(a.id, b.id));
  const tables: readonly (readonly [(lines: number) => StyledLine[], number])[] = [
    [(lines) => formatTable(alertColumns(view.now), alerts, lines), alerts.length],
    [(lines) => formatTable(LANE_COLUMNS, lanes, lines), lanes.length],
    [(lines) => formatTable(workerColumns(reading), workers, lines), workers.length],
  ];
  const body: StyledLine[] = [];
  tables.forEach(([format, count], index) => {
    if (count === 0) return;
    const left = rows - head.length - body.length;
    // A heading alone says nothing.
    if (left < 2) return;
    // Those that follow get as much of what is left.
    const share = Math.max(3, Math.floor(left / (tables.length - index)));
    const later = tables.slice(index + 1).reduce((sum, [, laterCount]) => sum + (laterCount === 0 ? 0 : laterCount + 2), 0);
    const lines = Math.max(share, left - later - 1);
    body.push(...format(lines), []);
  });
  return [...head, ...body].slice(0, rows);
}

function formatHeader({ url, now, reading: { health }, unreachableSince, warning }: TopView): StyledLine {
  const state: Segment =
    unreachableSince === undefined
      ? { text: health?.status ?? 'unknown', style: health?.status === 'ok' ? 'green' : 'yellow' }
      : { text: 'unreachable', style: 'red' };
  return [
    { text: 'python3-cluster', style: 'bold' },
    { text: `  ${url}  ` },
    state,
    { text: `  isolation ${health?.isolationLevel ?? UNKNOWN}  ${new Date(now).toTimeString().slice(0, 8)}` },
    ...(warning === undefined ? [] : [{ text: `  ${warning}`, style: 'yellow' as const }]),
  ];
}

function formatProblems({ now, reading: { problems, health, summary }, unreachableSince }: TopView): StyledLine[] {
  const downMs = unreachableSince === undefined ? 0 : now - unreachableSince;
  const known = summary === undefined ? '' : '; figures are the last known';
  const since = downMs < 1_000 ? '' : ` (for ${formatDuration(downMs)}${known})`;
  const lines = problems.map((problem): StyledLine => [{ text: problem + since, style: 'red' }]);
  return health === undefined || unreachableSince !== undefined ? lines : [...formatRedis(health), ...lines];
}

function formatRedis({ redisWritable, breaker }: HealthReading): StyledLine[] {
  if (redisWritable && breaker === 'closed') return [];
  return [[{ text: `Redis ${redisWritable ? 'takes writes' : 'takes no writes'}; the breaker is ${breaker}`, style: 'red' }]];
}

function formatSummary({ reading: { summary }, perSecond }: TopView, columns: number): StyledLine[] {
  if (summary === undefined) return [];
  const { lastMinute, lastFiveMinutes, slotsInUse, slotsMax } = summary;
  const { runMs, queuedMs } = lastFiveMinutes;
  const perMinute = lastMinute.perMinute === undefined ? undefined : lastMinute.perMinute / 60;
  const times = ({ count, p50, p95 }: typeof runMs): string =>
    count === 0 ? `p50 ${UNKNOWN}  p95 ${UNKNOWN}` : `p50 ${formatDuration(p50)}  p95 ${formatDuration(p95)}`;
  return [
    labelled('jobs', `${formatRate(perSecond)} now  ${formatRate(perMinute)} in 1 min  waiting ${formatCount(summary.waiting)}  unfinished ${formatCount(summary.open)}`),
    labelled('ended', `succeeded ${formatCount(summary.succeeded)}  failed ${formatCount(summary.failed)}  not run ${formatCount(summary.notRun)}`, [
      { text: `  failures in 5 min ${formatShare(lastFiveMinutes.failureShare)}`, style: failureStyle(lastFiveMinutes.failureShare) },
    ]),
    labelled('times', `run ${times(runMs)}   queue ${times(queuedMs)}   (5 min)`),
    labelled('slots', `${formatBar(slotsInUse, slotsMax, Math.max(10, Math.min(40, columns - 40)))} ${inUse(summary)} in use`),
  ];
} // prettier-ignore

const inUse = ({ slotsInUse, slotsMax }: SummaryReading): string => `${formatCount(slotsInUse)} of ${formatCount(slotsMax)}`;

const labelled = (label: string, text: string, more: StyledLine = []): StyledLine => [
  { text: label.padEnd(LABEL_WIDTH), style: 'dim' },
  { text },
  ...more,
];

const failureStyle = (share = 0): Style => (share > 0.2 ? 'red' : share > 0 ? 'yellow' : 'plain');

const alertColumns = (now: number): Column<AlertReading>[] => [
  { title: 'ALERT', width: 26, align: 'left', text: ({ name }) => name, style: severityStyle },
  { title: 'ABOUT', width: 16, align: 'left', text: ({ subject }) => subject },
  { title: 'SINCE', width: 7, align: 'right', text: ({ startedAt }) => formatDuration(startedAt && Math.max(0, now - startedAt)) },
  { title: 'STATE', width: 12, align: 'left', text: ({ state }) => state },
  { title: 'MESSAGE', width: 120, align: 'left', text: ({ message }) => message },
];

const severityStyle = ({ severity }: AlertReading): Style => (severity === 'CRITICAL' ? 'red' : 'yellow');

const LANE_COLUMNS: readonly Column<LaneReading>[] = [
  { title: 'LANE', width: 20, align: 'left', text: ({ lane }) => lane },
  {
    title: 'NODES', width: 5, align: 'right', text: ({ workers }) => formatCount(workers),
    style: ({ workers, waiting }) => (workers === 0 && (waiting ?? 0) > 0 ? 'red' : 'plain'),
  },
  { title: 'WAITING', width: 9, align: 'right', text: ({ waiting }) => formatCount(waiting) },
  { title: 'OLDEST', width: 7, align: 'right', text: ({ oldestWaitingMs }) => formatDuration(oldestWaitingMs) },
  { title: 'DELAYED', width: 8, align: 'right', text: ({ delayed }) => formatCount(delayed) },
  { title: 'ACTIVE', width: 7, align: 'right', text: ({ active }) => formatCount(active) },
  { title: 'JOBS/MIN', width: 9, align: 'right', text: ({ lastFiveMinutes }) => formatCount(lastFiveMinutes.perMinute) },
  {
    title: 'FAILED', width: 8, align: 'right', text: ({ lastFiveMinutes }) => formatShare(lastFiveMinutes.failureShare),
    style: ({ lastFiveMinutes }) => failureStyle(lastFiveMinutes.failureShare),
  },
  { title: 'P50', width: 7, align: 'right', text: ({ lastFiveMinutes: { runMs } }) => (runMs.count === 0 ? UNKNOWN : formatDuration(runMs.p50)) },
  { title: 'P95', width: 7, align: 'right', text: ({ lastFiveMinutes: { runMs } }) => (runMs.count === 0 ? UNKNOWN : formatDuration(runMs.p95)) },
]; // prettier-ignore

const BAR_WIDTH = 20;

const workerColumns = ({ workers }: ClusterReading): Column<WorkerReading>[] => [
  { title: 'WORKER NODE', width: Math.min(40, Math.max(20, ...workers.map(({ id }) => id.length))), align: 'left', text: ({ id }) => id },
  { title: 'LEVEL', width: 5, align: 'left', text: ({ level }) => level ?? UNKNOWN },
  { title: 'SLOTS', width: BAR_WIDTH + 2, align: 'left', text: ({ inUse: used, max }) => formatBar(used, max, BAR_WIDTH) },
  { title: 'IN USE', width: 8, align: 'right', text: ({ inUse: used, max }) => `${formatCount(used)}/${formatCount(max)}` },
  { title: 'WAITING', width: 7, align: 'right', text: ({ waiting }) => formatCount(waiting) },
  { title: 'IN 5 MIN', width: 8, align: 'right', text: ({ finished }) => formatCount(finished) },
  { title: 'FAILED', width: 7, align: 'right', text: ({ failed }) => formatCount(failed), style: ({ failed = 0 }) => (failed > 0 ? 'yellow' : 'plain') },
  { title: 'LANES', width: 30, align: 'left', text: ({ lanes, draining }) => (draining ? '(draining) ' : '') + lanes.join(',') },
]; // prettier-ignore

const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

const bySeverity = (a: AlertReading, b: AlertReading): number =>
  Number(b.severity === 'CRITICAL') - Number(a.severity === 'CRITICAL') || (b.startedAt ?? 0) - (a.startedAt ?? 0);
