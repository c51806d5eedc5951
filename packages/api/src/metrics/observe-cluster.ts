import type { MetricKey, MetricLabels, MetricSource, Report, WorkerHeartbeat } from '@python3-cluster/shared';
import type { ClusterFigures, Distribution, LaneFigures } from './cluster-figures';
import type { FiguresReader, FiguresReading } from './figures-reader';
import { createCounts } from './lane-counts';

/** The cluster's figures as metrics, from the same reading of the store that the routes and the alerts have. */
export function observeCluster(reader: FiguresReader, liveWorkers: () => readonly WorkerHeartbeat[]): MetricSource {
  return async (report) => {
    const { reading, isCurrent } = await reader.readOrLast();
    report('storeUp', isCurrent ? 1 : 0);
    if (reading === undefined) return;
    report('storeAge', (performance.now() - reading.readAt) / 1_000);
    const lanes = reading.figures.lanes.filter(isPresent);
    for (const lane of lanes) reportLane(report, lane);
    reportCounts(report, reading, lanes);
    for (const { id: node, pool } of reading.figures.workers) {
      report('poolMax', pool.max, { node });
      report('poolInUse', pool.inUse, { node });
      report('poolWaiting', pool.waiting, { node });
    }
    reportLegacy(report, reading.figures, liveWorkers());
  };
}

/**
 * A lane that nobody serves or uses any more is not told: its series end, as those of a node do that is gone. It comes back
 * with its counters when somebody does.
 */
const isPresent = ({ workers, totals, lastFiveMinutes }: LaneFigures): boolean =>
  workers > 0 || totals.open > 0 || lastFiveMinutes.accepted > 0 || lastFiveMinutes.finished > 0;

function reportLane(report: Report, { lane, totals, lastFiveMinutes, ...now }: LaneFigures): void {
  report('jobsAccepted', totals.accepted, { lane });
  report('jobsOpen', totals.open, { lane });
  report('jobsWaiting', now.waiting, { lane });
  report('jobsDelayed', now.delayed, { lane });
  report('jobsActive', now.active, { lane });
  report('oldestWaiting', (now.oldestWaitingMs ?? 0) / 1_000, { lane });
  report('workersLive', now.workers, { lane });
  reportQuantiles(report, 'queueQuantiles', lastFiveMinutes.queuedMs, 1_000, { lane });
  reportQuantiles(report, 'runQuantiles', lastFiveMinutes.runMs, 1_000, { lane });
  reportQuantiles(report, 'cpuQuantiles', lastFiveMinutes.cpuMs, 1_000, { lane });
  reportQuantiles(report, 'memoryQuantiles', lastFiveMinutes.memoryMb, 1 / 1_048_576, { lane });
}

function reportQuantiles(report: Report, metric: MetricKey, { p50, p95, p99 }: Distribution, divisor: number, labels: MetricLabels): void {
  report(metric, p50 / divisor, { ...labels, percentile: '50' });
  report(metric, p95 / divisor, { ...labels, percentile: '95' });
  report(metric, p99 / divisor, { ...labels, percentile: '99' });
}

function reportCounts(report: Report, { totals }: FiguresReading, lanes: readonly LaneFigures[]): void {
  for (const { lane } of lanes) {
    const { kinds, syntaxChecks } = totals.get(lane) ?? createCounts();
    report('syntaxChecks', syntaxChecks, { lane });
    for (const [kind, statuses] of kinds)
      for (const [status, count] of Object.entries(statuses)) report('jobsFinished', count, { lane, kind, status });
  }
}

/** The predecessor's names: success is what the code did, percent is percent. */
function reportLegacy(report: Report, { totals, pool, lastFiveMinutes }: ClusterFigures, workers: readonly WorkerHeartbeat[]): void {
  report('legacyPoolSize', pool.max);
  report('legacyPoolAvailable', Math.max(0, pool.max - pool.inUse));
  report('legacyPoolInUse', pool.inUse);
  report('legacyPoolUtilization', 100 * pool.utilization);
  report('legacyPoolHealthy', pool.healthy);
  report('legacyPoolUnhealthy', Math.max(0, pool.size - pool.healthy));
  report('legacyExecutions', totals.finished);
  report('legacySuccess', totals.succeeded);
  report('legacyFailed', totals.finished - totals.succeeded);
  const { finished, succeeded, runMs } = lastFiveMinutes;
  report('legacyErrorRate', finished === 0 ? 0 : (100 * (finished - succeeded)) / finished);
  report('legacyResponseAverage', runMs.mean);
  report('legacyResponseP50', runMs.p50);
  report('legacyResponseP95', runMs.p95);
  report('legacyResponseP99', runMs.p99);
  report('legacyUptime', uptimeMsOf(workers) / 1_000);
}

/** Since the longest running live worker node started, by the clocks of both hosts. */
export function uptimeMsOf(workers: readonly WorkerHeartbeat[]): number {
  if (workers.length === 0) return 0;
  return Math.max(0, Date.now() - Math.min(...workers.map(({ startedAt }) => startedAt)));
}
