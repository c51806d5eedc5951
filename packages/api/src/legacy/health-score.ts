import type { ClusterFigures } from '../metrics/cluster-figures';

/**
 * The predecessor had two health scores. `metrics` (and nothing else) has the first one, of all executions there were:
 * 0.7 × success rate + 0.3 × share of slots that are free. `gateway-impact` has the later one, which takes points off for
 * what is wrong now.
 */
export const healthScoreOf = (successRatePercent: number, utilization: number): number =>
  Math.round(0.7 * successRatePercent + 0.3 * 100 * (1 - utilization));

export type ImpactLevel = 'LOW' | 'MEDIUM' | 'HIGH';

export interface Impact {
  /** Executions per minute and worker node, of the last five minutes: its thresholds were made for one gateway with one pool. */
  readonly perMinute: number;
  readonly utilizationPercent: number;
  readonly successRatePercent: number;
  readonly level: ImpactLevel;
  readonly score: number;
  readonly recommendation: string;
}

export function impactOf({ lastFiveMinutes, pool, workers }: ClusterFigures): Impact {
  const { finished, succeeded, perMinute: all } = lastFiveMinutes;
  const perMinute = all / Math.max(1, workers.length);
  const utilizationPercent = 100 * pool.utilization;
  const successRatePercent = finished === 0 ? 100 : (100 * succeeded) / finished;
  const level = utilizationPercent > 80 || perMinute > 50 ? 'HIGH' : utilizationPercent > 50 || perMinute > 20 ? 'MEDIUM' : 'LOW';
  const score = Math.max(0, 100 - pointsOff(utilizationPercent, 85, 60, 30, 15) - pointsOff(perMinute, 50, 20, 20, 10) - pointsOff(100 - successRatePercent, 10, 5, 20, 10)); // prettier-ignore
  return { perMinute, utilizationPercent, successRatePercent, level, score, recommendation: RECOMMENDATIONS[level] };
}

const pointsOff = (value: number, high: number, raised: number, most: number, some: number): number =>
  value > high ? most : value > raised ? some : 0;

const RECOMMENDATIONS: Readonly<Record<ImpactLevel, string>> = {
  LOW: 'The load is low; nothing to do.',
  MEDIUM: 'The load is moderate; watch utilization and queue age.',
  HIGH: 'The load is high; add worker nodes or raise PYTHON3_POOL_MAX.',
};
