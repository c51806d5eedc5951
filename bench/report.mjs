import { REDIS_SETTINGS } from './private-redis.mjs';
import { median } from './statistics.mjs';

/** Above this share of foreign CPU time the report says that the machine was not ours alone. */
const BUSY_SHARE = 0.1;

/** The targets of the design that this benchmark can judge. */
const targets = [
  { what: 'fresh sync throughput ÷ RQ', peer: 'rq', field: 'jobsPerSecond', callers: 64, target: 5, floor: 2.5, best: 'most' },
  { what: 'p50 one caller fresh ÷ Celery', peer: 'celery', field: 'p50Ms', callers: 1, target: 2, floor: 4, best: 'least' },
  {
    what: 'warm sync throughput ÷ Celery',
    of: 'warm',
    peer: 'celery',
    field: 'jobsPerSecond',
    callers: 64,
    target: 6,
    floor: 3,
    best: 'most',
  },
  { what: 'p50 one caller warm ÷ Celery', of: 'warm', peer: 'celery', field: 'p50Ms', callers: 1, target: 0.7, floor: 1.4, best: 'least' },
  ...[
    ['traced', 'ours'],
    ['warm-traced', 'warm'],
  ].map(([of, peer]) => ({
    what: `${peer === 'ours' ? 'fresh' : 'warm'} sync throughput with traces at 1 % ÷ without`,
    of,
    peer,
    field: 'jobsPerSecond',
    callers: 64,
    target: 0.95,
    floor: 0.9,
    best: 'most',
    digits: 3,
  })),
  ...['work', 'warm-work'].flatMap((of) =>
    [1, 'cores'].map((callers) => ({
      what: `100 ms job ${of === 'work' ? 'fresh' : 'warm'}, ${callers === 1 ? 'one caller' : 'a caller per core'}: p50 ÷ plain Python`,
      of,
      peer: 'plain',
      field: 'p50Ms',
      callers,
      target: 1.03,
      floor: 1.06,
      best: 'least',
      digits: 3,
    })),
  ),
];

/** These run a job of another size: nothing to compare the small ones with. */
const SIZED = ['work', 'warm-work', 'plain'];

/** Medians per contestant and number of callers, our ratios to the others, and the verdicts on the targets. */
export function summarize({ contestants, measurements }) {
  const rows = contestants.flatMap((contestant) =>
    callersOf(measurements, contestant.name).map((callers) =>
      summarizeRow(contestant, callers, select(measurements, contestant.name, callers)),
    ),
  );
  const ratios = contestants
    .filter(({ name }) => name !== 'ours' && !SIZED.includes(name))
    .flatMap(({ name, title }) =>
      callersOf(measurements, 'ours').map((callers) => ({
        peer: name,
        title,
        callers,
        throughput: compare(measurements, name, callers, 'jobsPerSecond'),
        // the time of a caller who waits behind others says nothing beside that of one who does not
        p50: callersOf(measurements, name).includes(callers) ? compare(measurements, name, callers, 'p50Ms') : undefined,
      })),
    );
  const foreignShares = measurements.map(({ foreignShare }) => foreignShare);
  return {
    rows,
    ratios,
    verdicts: targets.map((target) => judge(target, measurements)),
    foreignShare: { median: median(foreignShares), most: Math.max(...foreignShares) },
  };
}

function summarizeRow({ name, title }, callers, runs) {
  const medianOf = (field) => median(runs.map((run) => run[field]));
  const roles = [...new Set(runs.flatMap(({ cpuUsPerJob }) => Object.keys(cpuUsPerJob)))];
  return {
    name,
    title,
    callers,
    jobsPerSecond: medianOf('jobsPerSecond'),
    p50Ms: medianOf('p50Ms'),
    p99Ms: medianOf('p99Ms'),
    errors: sum(runs.map(({ errors }) => errors)),
    wrong: sum(runs.map(({ wrong }) => wrong)),
    firstError: runs.find(({ firstError }) => firstError)?.firstError,
    cpuUsPerJob: Object.fromEntries(roles.map((role) => [role, median(runs.map(({ cpuUsPerJob }) => cpuUsPerJob[role] ?? 0))])),
  };
}

/** Ours ÷ theirs, each within one round; a contestant with one number for all has it compared with each of ours. */
function compare(measurements, peer, callers, field, of = 'ours') {
  const theirCallers = callersOf(measurements, peer);
  const theirs = select(measurements, peer, theirCallers.length === 1 ? theirCallers[0] : callers);
  const quotients = select(measurements, of, callers).flatMap((our) => {
    const their = theirs.find(({ round }) => round === our.round);
    return their === undefined ? [] : [our[field] / their[field]];
  });
  return quotients.length === 0 ? undefined : { median: median(quotients), least: Math.min(...quotients), most: Math.max(...quotients) };
}

function judge(aim, measurements) {
  const target = { ...aim, callers: aim.callers === 'cores' ? Math.max(1, ...callersOf(measurements, aim.of)) : aim.callers };
  const ratio = compare(measurements, target.peer, target.callers, target.field, target.of);
  if (ratio === undefined) return { ...target, verdict: 'not measured' };
  const runs = [...select(measurements, target.of ?? 'ours', target.callers), ...select(measurements, target.peer, target.callers)];
  const isAtLeastAsGoodAs = (bar) => (target.best === 'most' ? ratio.median >= bar : ratio.median <= bar);
  const reached = isAtLeastAsGoodAs(target.target)
    ? 'target reached'
    : isAtLeastAsGoodAs(target.floor)
      ? 'between floor and target'
      : 'short of the floor';
  return { ...target, ratio, verdict: runs.some(({ errors }) => errors > 0) ? 'does not count: there were errors' : reached };
}

export function formatReport(results, summary) {
  const { contestants, skipped, measurements } = results;
  const most = Math.max(...measurements.map(({ callers }) => callers));
  const sections = [
    formatHeader(results, summary),
    formatTable(
      ['', 'callers', 'jobs/s', 'p50 ms', 'p99 ms', 'errors'],
      summary.rows.map((row) => [
        row.title,
        row.callers,
        row.jobsPerSecond.toFixed(0),
        row.p50Ms.toFixed(2),
        row.p99Ms.toFixed(2),
        formatErrors(row),
      ]),
    ),
    ...formatRatios(summary.ratios),
    ...formatLatencies(summary.rows),
    ...formatCpu(summary.rows, most),
    formatVerdicts(summary.verdicts, contestants.find(({ name }) => name === 'ours')?.level, skipped, summary.foreignShare),
    ...summary.rows
      .filter(({ firstError }) => firstError)
      .map((row) => `First error of ${row.title} with ${row.callers} callers: ${row.firstError}`),
  ];
  return `${sections.join('\n\n')}\n`;
}

function formatHeader({ machine, settings, contestants, skipped }, { foreignShare }) {
  const versions = contestants
    .filter(({ version }) => version !== undefined)
    .map(({ name, version }) => `${['ours', 'warm', 'work', 'warm-work'].includes(name) ? 'python3-cluster' : name} ${version}`);
  const redisPy =
    machine.redisPy === undefined ? [] : [`redis-py ${machine.redisPy} (${machine.hiredis === undefined ? 'without' : 'with'} hiredis)`];
  return [
    `${machine.date}  ${machine.cpu}, ${machine.cores} cores, ${machine.memoryGb} GB, Linux ${machine.kernel}, commit ${machine.commit ?? 'unknown'}`,
    [`Node ${machine.node}`, `Python ${machine.python ?? 'none'}`, `Redis ${machine.redis}`, ...redisPy, ...versions].join(', '),
    `Redis: ${REDIS_SETTINGS}`,
    `${settings.rounds} interleaved round(s) of ${settings.seconds} s; medians. Other processes used ${formatPercent(foreignShare.median)} of the cores (median over the runs; at most ${formatPercent(foreignShare.most)}).`,
    ...contestants.map(({ title, settings: how }) => `${title}: ${how}`),
    ...skipped.map(({ title, reason }) => `${title}: skipped, ${reason}`),
  ].join('\n');
}

function formatRatios(ratios) {
  if (ratios.length === 0) return [];
  const rows = ratios.map(({ title, callers, throughput, p50 }) => [title, callers, formatRatio(throughput), formatRatio(p50)]);
  return [`Ours divided by theirs within the same round: median (least to most)\n${formatTable(['', 'callers', 'jobs/s', 'p50'], rows)}`];
}

/** One caller never waits behind another: what is left is the way there and back. */
function formatLatencies(rows) {
  const alone = rows.filter(({ callers, name }) => callers === 1 && !SIZED.includes(name));
  const celery = alone.find(({ name }) => name === 'celery');
  if (alone.length === 0) return [];
  const lines = alone.map((row) => [
    row.title,
    row.p50Ms.toFixed(2),
    row.p99Ms.toFixed(2),
    celery === undefined ? '–' : formatQuotient(row.p50Ms / celery.p50Ms),
  ]);
  return [`One caller alone: milliseconds from request to answer\n${formatTable(['', 'p50', 'p99', 'p50 ÷ Celery'], lines)}`];
}

function formatCpu(rows, callers) {
  const measured = rows.filter((row) => Object.keys(row.cpuUsPerJob).length > 0 && (row.callers === callers || isOnlyRow(row, rows)));
  if (measured.length === 0) return [];
  const lines = measured.map((row) => {
    const parts = Object.entries(row.cpuUsPerJob).sort((left, right) => right[1] - left[1]);
    const total = sum(parts.map(([, us]) => us));
    return [row.title, total.toFixed(0), parts.map(([role, us]) => `${role} ${us.toFixed(0)}`).join(', ')];
  });
  return [`CPU microseconds per job with ${callers} callers\n${formatTable(['', 'total', 'of which'], lines)}`];
}

const isOnlyRow = (row, rows) => rows.filter(({ name }) => name === row.name).length === 1;

function formatVerdicts(verdicts, level, skipped, foreignShare) {
  const lines = verdicts.map(({ what, of = 'ours', peer, ratio, callers, target, floor, best, verdict, digits = 1 }) => {
    const bars = best === 'most' ? `(target ${target}, floor ${floor})` : `(target ≤ ${target}, floor ≤ ${floor})`;
    if (ratio === undefined) {
      const why = skipped.find(({ name }) => name === of || name === peer);
      return `${what}: not measured ${bars}${why === undefined ? '' : `; ${why.title} was skipped`}`;
    }
    const round = best === 'most' ? roundDown(digits) : roundUp(digits);
    return `${what}: ${round(ratio.median)} ${bars}: ${verdict}; with ${callers === 1 ? '1 caller' : `${callers} callers`}, rounds from ${round(ratio.least)} to ${round(ratio.most)}`;
  });
  const sandbox = { A: undefined, B: undefined, C: 'a shared uid', D: 'no sandbox' }[level];
  if (foreignShare.most > BUSY_SHARE)
    lines.push(
      'The machine was busy with other work in some runs: their figures are too low and ratios rough. Repeat it when nothing else runs.',
    );
  if (level !== undefined && sandbox !== undefined)
    lines.push(`Measured at isolation level ${level} (${sandbox}); the targets are for jobs inside the sandbox, level B or A.`);
  return lines.join('\n');
}

/** Rounded against us: a figure never claims more than was measured. */
const roundDown = (digits) => (value) => (Math.floor(value * 10 ** digits) / 10 ** digits).toFixed(digits);
const roundUp = (digits) => (value) => (Math.ceil(value * 10 ** digits) / 10 ** digits).toFixed(digits);

const formatRatio = (ratio) =>
  ratio === undefined ? '–' : `${formatQuotient(ratio.median)} (${formatQuotient(ratio.least)} to ${formatQuotient(ratio.most)})`;

const formatQuotient = (value) => value.toFixed(value >= 10 ? 0 : value >= 1 ? 1 : 2);

const formatErrors = ({ errors, wrong }) => (wrong > 0 ? `${errors}, ${wrong} of them WRONG ANSWERS` : String(errors));

const formatPercent = (share) => (Number.isNaN(share) ? 'an unknown share' : `${(share * 100).toFixed(0)} %`);

function formatTable(header, rows) {
  const cells = [header, ...rows].map((row) => row.map(String));
  const widths = header.map((_, column) => Math.max(...cells.map((row) => row[column].length)));
  const isText = header.map((_, column) => column === 0 || rows.some((row) => /[a-z]{3}/.test(row[column])));
  return cells
    .map((row) =>
      row
        .map((cell, column) => (isText[column] ? cell.padEnd(widths[column]) : cell.padStart(widths[column])))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

const select = (measurements, name, callers) => measurements.filter((run) => run.contestant === name && run.callers === callers);

const callersOf = (measurements, name) =>
  [...new Set(measurements.filter(({ contestant }) => contestant === name).map(({ callers }) => callers))].sort(
    (left, right) => left - right,
  );

const sum = (numbers) => numbers.reduce((total, number) => total + number, 0);
