import { bucketOf, countAbove, countOf, OUTCOME_STATUSES, quantileOf, type OutcomeStatus } from '@python3-cluster/shared';
import type { Distribution, OutcomeFigures, TotalFigures, WindowFigures } from './cluster-figures';
import { addCounts, createCounts, type Counts, type SampleCounts, type StatusCounts } from './lane-counts';

/** Ends that are the code's own doing. */
const FAILED: readonly OutcomeStatus[] = ['failed', 'timed_out', 'out_of_memory', 'cpu_exceeded', 'crashed'];
const NOT_RUN: readonly OutcomeStatus[] = ['cancelled', 'expired', 'lost', 'rejected'];

/** A boundary of the histograms. */
const CONTENDED_BUCKET = bucketOf(102.4);

export function toOutcomeFigures({ kinds, samples }: Pick<Counts, 'kinds' | 'samples'>): OutcomeFigures {
  const byStatus = Object.fromEntries(OUTCOME_STATUSES.map((status) => [status, 0])) as Record<OutcomeStatus, number>;
  for (const statuses of kinds.values()) for (const status of OUTCOME_STATUSES) byStatus[status] += statuses[status] ?? 0;
  for (const status of OUTCOME_STATUSES) byStatus[status] = Math.round(byStatus[status]);
  const succeeded = byStatus.succeeded;
  const failed = sumOf(byStatus, FAILED);
  const notRun = sumOf(byStatus, NOT_RUN);
  return {
    finished: succeeded + failed + notRun,
    byStatus,
    succeeded,
    failed,
    notRun,
    failureShare: succeeded + failed === 0 ? 0 : failed / (succeeded + failed),
    contended: Math.round(countAbove(samples.queued.buckets, CONTENDED_BUCKET)),
    queuedMs: toDistribution(samples.queued),
    runMs: toDistribution(samples.run),
    cpuMs: toDistribution(samples.cpu),
    memoryMb: toDistribution(samples.memory),
  };
}

export function toWindow(counts: Counts, minutes: number): WindowFigures {
  const figures = toOutcomeFigures(counts);
  return { ...figures, minutes, accepted: Math.round(counts.accepted), perMinute: round(figures.finished / minutes) };
}

export function toTotals(counts: Counts): TotalFigures {
  const figures = toOutcomeFigures(counts);
  const accepted = Math.max(0, counts.accepted - counts.withdrawn);
  return { ...figures, accepted, open: Math.max(0, accepted - figures.finished) };
}

/**
 * What happened in the last so many minutes: the current one and those before it, the oldest by the share of it that the
 * window still reaches.
 */
export function sumOfWindow(readings: readonly { readonly now: number; readonly minutes: readonly Counts[] }[], minutes: number): Counts {
  const sum = createCounts();
  for (const { now, minutes: counts } of readings) {
    const elapsed = (now % 60_000) / 60_000;
    for (let back = 0; back <= minutes; back += 1) {
      const minute = counts[back];
      if (minute) addCounts(sum, minute, back === minutes ? 1 - elapsed : 1);
    }
  }
  return sum;
}

export function toDistribution({ buckets, sum }: SampleCounts): Distribution {
  const exact = countOf(buckets);
  return {
    count: Math.round(exact),
    sum: round(sum),
    mean: exact === 0 ? 0 : round(sum / exact),
    p50: round(quantileOf(buckets, 0.5)),
    p95: round(quantileOf(buckets, 0.95)),
    p99: round(quantileOf(buckets, 0.99)),
  };
}

export function summarizeStatuses(statuses: StatusCounts): { finished: number; succeeded: number; failed: number } {
  const sum = (of: readonly OutcomeStatus[]): number => Math.round(of.reduce((total, status) => total + (statuses[status] ?? 0), 0));
  return { finished: sum(OUTCOME_STATUSES), succeeded: sum(['succeeded']), failed: sum(FAILED) };
}

const sumOf = (counts: Readonly<Record<OutcomeStatus, number>>, statuses: readonly OutcomeStatus[]): number =>
  statuses.reduce((total, status) => total + counts[status], 0);

/** Three decimals. */
export const round = (value: number): number => Math.round(value * 1_000) / 1_000;

/** As an object, the most frequent first. */
export const byCount = (counts: ReadonlyMap<string, number>): Record<string, number> =>
  Object.fromEntries([...counts].sort(([, a], [, b]) => b - a));
