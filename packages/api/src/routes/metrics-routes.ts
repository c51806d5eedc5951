import { ClusterError, type ProgramNote } from '@python3-cluster/shared';
import type { Authenticator } from '../auth/authenticator';
import { callerOf, requireRole } from '../auth/require-role';
import type { ClusterFigures, TotalFigures } from '../metrics/cluster-figures';
import type { ClusterMetrics } from '../metrics/cluster-metrics';
import type { FiguresReading } from '../metrics/figures-reader';
import { addCounts, createCounts, type Counts, type SampleCounts } from '../metrics/lane-counts';
import { MOST_NAMED, type NamedCounts } from '../metrics/read-named';
import { readRange } from '../metrics/read-range';
import { byCount, round, toOutcomeFigures } from '../metrics/to-figures';
import { readQuery } from '../requests/query-parameters';
import { refuseQuery } from '../requests/refuse-query';
import type { JsonValue } from '../responses/raw-json';
import { sendJson } from '../responses/send-json';
import type { Route } from './route';

export interface MetricsRouteOptions {
  readonly authenticator: Authenticator;
  readonly clusterMetrics: ClusterMetrics;
}

/**
 * Figures of the whole cluster, from the store: every replica says the same. A viewer may see them; who its callers are,
 * and how much each does, is for admins.
 */
export function createMetricsRoutes({ authenticator, clusterMetrics }: MetricsRouteOptions): Route[] {
  const { reader } = clusterMetrics;
  const viewer = requireRole(authenticator, 'viewer');
  const show = (name: string, view: (reading: FiguresReading) => JsonValue): Route => ({
    method: 'get',
    path: `/api/v1/metrics${name}`,
    handlers: [refuseQuery, viewer, async (_request, response) => sendJson(response, 200, view(await reader.readAll()))],
  });
  const list = (name: string, role: 'viewer' | 'admin', member: 'program' | 'caller', label: string): Route => ({
    method: 'get',
    path: `/api/v1/metrics/${name}`,
    handlers: [
      requireRole(authenticator, role),
      async (request, response) => {
        const most = readLimit(readQuery(request.originalUrl, ['limit']).get('limit'));
        const entries = await clusterMetrics.readNamed(member, most);
        const notes = member === 'program' ? await clusterMetrics.readNotes(callerOf(response)) : undefined;
        sendJson(response, 200, { [name]: entries.map((entry) => toNamedView(label, entry, notes)) });
      },
    ],
  });
  return [
    show('', toSummary),
    show('/lanes', ({ figures: { lanes, readAt } }) => ({ readAt, lanes: lanes.map((lane) => ({ ...lane })) as unknown as JsonValue })),
    show('/workers', ({ figures: { workers, pool, readAt } }) => ({ readAt, pool: { ...pool }, workers: workers as unknown as JsonValue })),
    list('scripts', 'viewer', 'program', 'script'),
    list('keys', 'admin', 'caller', 'owner'),
    {
      method: 'get',
      path: '/api/v1/metrics/range',
      handlers: [
        viewer,
        async (request, response) => {
          const query = readQuery(request.originalUrl, ['from', 'to', 'step', 'lane']);
          sendJson(response, 200, await readRange(clusterMetrics, query));
        },
      ],
    },
  ];
}

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
