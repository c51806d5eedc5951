import type { ProgramNote, WorkerHeartbeat } from '@python3-cluster/shared';
import { defineFeature } from '../operations/feature';
import { ok, type Operation } from '../operations/operation';
import type { ClusterMetrics } from '../metrics/cluster-metrics';
import type { Snapshot } from '../metrics/figure-history';
import type { FiguresReading } from '../metrics/figures-reader';
import { addCounts, createCounts, type Counts } from '../metrics/lane-counts';
import { uptimeMsOf } from '../metrics/observe-cluster';
import type { NamedCounts } from '../metrics/read-named';
import { byCount, toOutcomeFigures } from '../metrics/to-figures';
import type { JsonValue } from '../responses/raw-json';
import { healthScoreOf, impactOf } from './health-score';
import { LEGACY_BASE } from './legacy-envelope';

const MOST_SCRIPTS = 50;

const figures = (name: string, answer: string): Operation => ({
  method: 'get',
  path: `${LEGACY_BASE}/${name}`,
  access: 'viewer',
  effect: 'read',
  answers: { 200: answer },
  errors: ['QUEUE_UNAVAILABLE'],
});

/** The predecessor's metrics routes, with live figures. Its names; what each means here: docs/http-api.md. */
export const legacyMetricsFeature = defineFeature({
  name: 'legacy-metrics',
  operations: {
    summary: figures('metrics', "the predecessor's 17 members; `error_counts` is an object"),
    impact: figures('gateway-impact', 'its six members, `health_score` and `recommendation`; each also in camelCase'),
    scripts: figures('metrics/script-metrics', '`script_metrics` (the 50 that ran most), `count`'),
    history: figures('metrics/historical', '`historical_metrics` (100 × 1 minute, newest first, also of an idle cluster), `count`'),
  },
  create: ({ clusterMetrics }: { readonly clusterMetrics: ClusterMetrics }) => {
    const { reader, history, liveWorkers } = clusterMetrics;
    return {
      summary: async () => ok(toMetrics(await reader.readAll(), liveWorkers())),
      impact: async () => ok(toGatewayImpact(await reader.readAll())),
      scripts: async ({ caller }) => {
        const notes = await clusterMetrics.readNotes(caller);
        const scripts = (await clusterMetrics.readNamed('program', MOST_SCRIPTS)).map((entry) => toScript(entry, notes.get(entry.name)));
        return ok({ success: true, script_metrics: scripts, count: scripts.length });
      },
      history: async () => {
        const snapshots = (await reader.guarded(() => history.read())).map(toHistorical);
        return ok({ success: true, historical_metrics: snapshots, count: snapshots.length });
      },
    };
  },
});

function toMetrics({ figures, totals }: FiguresReading, workers: readonly WorkerHeartbeat[]): JsonValue {
  const all = createCounts();
  for (const counts of totals.values()) addCounts(all, counts);
  const { pool } = figures;
  const counts = toCounts(all);
  const uptimeMs = uptimeMsOf(workers);
  return {
    ...counts,
    total_execution_time_ms: Math.round(all.samples.run.sum),
    pool_size: pool.max,
    active_executions: pool.inUse,
    pool_utilization: twoDigits(100 * pool.utilization),
    pool_wait_count: figures.totals.contended,
    average_pool_wait_ms: Math.round(figures.totals.queuedMs.mean),
    uptime_ms: uptimeMs,
    uptime_hours: twoDigits(uptimeMs / 3_600_000),
    health_score: healthScoreOf(counts.success_rate, pool.utilization),
  };
}

interface LegacyCounts {
  readonly [name: string]: JsonValue;
  readonly success_rate: number;
}

/** What `metrics` and each script have in common. */
function toCounts(counts: Counts): LegacyCounts {
  const { finished, succeeded, runMs } = toOutcomeFigures(counts);
  const { least, most } = counts.samples.run;
  return {
    total_executions: finished,
    successful_executions: succeeded,
    failed_executions: finished - succeeded,
    success_rate: finished === 0 ? 100 : twoDigits((100 * succeeded) / finished),
    average_execution_time_ms: Math.round(runMs.mean),
    min_execution_time_ms: Math.round(least ?? 0),
    max_execution_time_ms: Math.round(most ?? 0),
    error_counts: byCount(counts.errors),
  };
}

const toScript = ({ name, counts }: NamedCounts, note: ProgramNote | undefined): JsonValue => ({
  script_identifier: name,
  ...toCounts(counts),
  ...(note !== undefined && { first_line: note.firstLine, labels: note.labels }),
});

/** Both spellings: the predecessor's own, and the one its client also reads. */
function toGatewayImpact({ figures }: FiguresReading): JsonValue {
  const { perMinute, utilizationPercent, level, score, recommendation } = impactOf(figures);
  const { cpuMs, queuedMs } = figures.lastFiveMinutes;
  return {
    ...bothCases({
      executions_per_minute: twoDigits(perMinute),
      average_cpu_time_ms: Math.round(cpuMs.mean),
      pool_contention_events: figures.lastFiveMinutes.contended,
      average_wait_time_ms: Math.round(queuedMs.mean),
      pool_utilization_percent: twoDigits(utilizationPercent),
      impact_level: level,
      health_score: score,
    }),
    recommendation,
  };
}

function toHistorical({ at, finished, succeeded, failed, averageRunMs, active, poolMax, utilization }: Snapshot): JsonValue {
  return {
    timestamp: at,
    total_executions: finished,
    successful_executions: succeeded,
    failed_executions: failed,
    average_execution_time_ms: Math.round(averageRunMs),
    active_executions: active,
    pool_size: poolMax,
    pool_utilization: twoDigits(100 * utilization),
  };
}

const bothCases = (members: Readonly<Record<string, JsonValue>>): Record<string, JsonValue> =>
  Object.fromEntries(
    Object.entries(members).flatMap(([name, value]) => [
      [name, value],
      [name.replace(/_(.)/g, (_, letter: string) => letter.toUpperCase()), value],
    ]),
  );

const twoDigits = (value: number): number => Math.round(value * 100) / 100;
