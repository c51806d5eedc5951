import type { AlertReading, HealthReading, SummaryReading } from './cluster-reading';
import { formatBar, formatCount, formatDuration, formatRate, formatShare, UNKNOWN } from './format-figure';
import { HELP } from './key-help';
import type { Segment, StyledLine } from './styled-line';
import { formatTable } from './table';
import type { TopView } from './top-view';
import { alertColumns, failureStyle, LANE_COLUMNS, runningColumns, workerColumns } from './top-columns';

export interface TerminalSize {
  readonly columns: number;
  readonly rows: number;
}

const LABEL_WIDTH = 8;

/** The whole picture, at most as many lines as the terminal has. */
export function renderTop(view: TopView, { columns, rows }: TerminalSize): StyledLine[] {
  if (view.showsHelp) return [formatHeader(view), [], ...HELP].slice(0, rows);
  if (view.note === undefined) return renderPicture(view, { columns, rows });
  const note: StyledLine = [{ text: view.note, style: 'bold' }];
  return [...renderPicture(view, { columns, rows: Math.max(0, rows - 1) }), note].slice(-rows);
}

function renderPicture(view: TopView, { columns, rows }: TerminalSize): StyledLine[] {
  const { reading } = view;
  const head = [formatHeader(view), ...formatProblems(view), ...formatSummary(view, columns), []];
  const alerts = [...reading.alerts].sort(bySeverity);
  const lanes = [...reading.lanes].sort((a, b) => (b.waiting ?? 0) - (a.waiting ?? 0) || compare(a.lane, b.lane));
  const workers = [...reading.workers].sort((a, b) => compare(a.id, b.id));
  const tables: readonly (readonly [(lines: number) => StyledLine[], number])[] = [
    [(lines) => formatTable(alertColumns(view.now), alerts, lines), alerts.length],
    [(lines) => formatTable(runningColumns(view), reading.running, lines), reading.running.length],
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
  return health === undefined || unreachableSince !== undefined ? lines : [...formatReasons(health), ...lines];
}

/** What the API says itself; an older one says only how Redis is. */
function formatReasons({ reasons, redisWritable, breaker }: HealthReading): StyledLine[] {
  if (reasons.length > 0) return reasons.map((text) => [{ text, style: 'red' }]);
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

const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

const bySeverity = (a: AlertReading, b: AlertReading): number =>
  Number(b.severity === 'CRITICAL') - Number(a.severity === 'CRITICAL') || (b.startedAt ?? 0) - (a.startedAt ?? 0);
