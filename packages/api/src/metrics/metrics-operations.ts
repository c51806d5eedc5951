import { ClusterError, type ProgramNote } from '@python3-cluster/shared';
import type { ClusterMetrics } from './cluster-metrics';
import { defineFeature } from '../operations/feature';
import { ok, type Access, type Handle, type Operation } from '../operations/operation';
import type { JsonValue } from '../responses/raw-json';
import type { ClusterFigures, TotalFigures } from './cluster-figures';
import type { FiguresReading } from './figures-reader';
import { addCounts, createCounts, type Counts, type SampleCounts } from './lane-counts';
import { MOST_NAMED, type NamedCounts } from './read-named';
import { readRange } from './read-range';
import { byCount, round, toOutcomeFigures } from './to-figures';

interface MetricsParts {
  readonly clusterMetrics: ClusterMetrics;
}

const figures = (name: string, access: Access, answer: string, query: readonly string[] = []): Operation => ({
  method: 'get',
  path: `/api/v1/metrics${name}`,
  access,
  effect: 'read',
  query,
  answers: { 200: answer },
  errors: ['QUEUE_UNAVAILABLE'],
});

/**
 * Figures of the whole cluster, from the store: every replica says the same. A viewer may see them; who its callers are,
 * and how much each does, is for admins.
 */
export const metricsFeature = defineFeature({
  name: 'metrics',
  operations: {
    summary: figures(
      '',
      'viewer',
      '`jobs` (since the store began; `byStatus`, `byKind`, `errors`), `lastMinute`, `lastFiveMinutes`, `pool`, `waiting`, `syntaxChecks`',
    ),
    lanes: figures('/lanes', 'viewer', 'per lane: `waiting`, `delayed`, `active`, `oldestWaitingMs`, `workers`, the two windows, `totals`'),
    workers: figures('/workers', 'viewer', 'per live worker node: `pool`, outcomes of the last five minutes'),
    scripts: figures(
      '/scripts',
      'viewer',
      'per program: `module.function` of a call, else the digest of the code; the most frequent first. `about` has the first line and labels, for its owner and admins',
      ['limit'],
    ),
    keys: figures('/keys', 'admin', 'per owner of jobs', ['limit']),
    range: figures(
      '/range',
      'viewer',
      '`points`: windows of `step` seconds (a multiple of 60); `from`, `to` in epoch ms, within the last 120 minutes; default: the last hour, by minutes',
      ['from', 'to', 'step', 'lane'],
    ),
  },
  create: (parts: MetricsParts) => ({
    summary: show(parts, toSummary),
    lanes: show(parts, ({ figures: { lanes, readAt } }) => ({ readAt, lanes: lanes.map((lane) => ({ ...lane })) as unknown as JsonValue })),
    workers: show(parts, ({ figures: { workers, pool, readAt } }) => ({
      readAt,
      pool: { ...pool },
      workers: workers as unknown as JsonValue,
    })),
    scripts: listNamed(parts, { member: 'program', name: 'scripts', label: 'script' }),
    keys: listNamed(parts, { member: 'caller', name: 'keys', label: 'owner' }),
    range: async ({ query }) => ok(await readRange(parts.clusterMetrics, query)),
  }),
});

const show =
  ({ clusterMetrics: { reader } }: MetricsParts, view: (reading: FiguresReading) => JsonValue): Handle =>
  async () =>
    ok(view(await reader.readAll()));

interface NamedList {
  readonly member: 'program' | 'caller';
  /** Of the list in the answer. */
  readonly name: string;
  /** What an entry calls its subject. */
  readonly label: string;
}

const listNamed =
  ({ clusterMetrics }: MetricsParts, { member, name, label }: NamedList): Handle =>
  async ({ query, caller }) => {
    const entries = await clusterMetrics.readNamed(member, readLimit(query.get('limit')));
    const notes = member === 'program' ? await clusterMetrics.readNotes(caller) : undefined;
    return ok({ [name]: entries.map((entry) => toNamedView(label, entry, notes)) });
  };

function toSummary({ figures, totals }: FiguresReading): JsonValue {
  const all = createCounts();
  for (const counts of totals.values()) addCounts(all, counts);
  const { readAt, lastMinute, lastFiveMinutes, pool, workers, lanes } = figures satisfies ClusterFigures;
  return {
    readAt,
    jobs: { ...(figures.totals satisfies TotalFigures), byKind: byKind(all), errors: byCount(all.errors) },
    lastMinute,
    lastFiveMinutes,
    pool,
    workers: workers.length,
    lanes: lanes.length,
    waiting: lanes.reduce((sum, lane) => sum + lane.waiting, 0),
    syntaxChecks: all.syntaxChecks,
  } as unknown as JsonValue;
}

function toNamedView(label: string, { name, counts }: NamedCounts, notes?: ReadonlyMap<string, ProgramNote>): JsonValue {
  const { samples } = counts;
  return {
    [label]: name,
    ...toOutcomeFigures(counts),
    runRangeMs: toRange(samples.run),
    byKind: byKind(counts),
    errors: byCount(counts.errors),
    ...(notes !== undefined && { about: toAbout(notes.get(name)) }),
  } as unknown as JsonValue;
}

/** null to whoever may not see the code, and where nothing is noted. */
const toAbout = (note: ProgramNote | undefined): JsonValue =>
  note === undefined ? null : { firstLine: note.firstLine, labels: note.labels, owner: note.owner, lastJobId: note.lastJobId };

const toRange = ({ least, most }: SampleCounts): JsonValue => ({ least: round(least ?? 0), most: round(most ?? 0) });

const byKind = ({ kinds }: Counts): Record<string, JsonValue> =>
  Object.fromEntries([...kinds].map(([kind, statuses]) => [kind, { ...statuses }]));

function readLimit(text: string | undefined): number {
  if (text === undefined) return 50;
  if (!/^\d{1,3}$/.test(text) || Number(text) < 1 || Number(text) > MOST_NAMED)
    throw new ClusterError('REQUEST_INVALID', `'limit' must be a whole number from 1 to ${MOST_NAMED}.`);
  return Number(text);
}
