import { expect, it } from '@jest/globals';
import type { ClusterFigures } from '../metrics/cluster-figures';
import { healthScoreOf, impactOf } from './health-score';

const figures = (utilization: number, perMinute: number, succeeded: number, nodes = 1): ClusterFigures =>
  ({ lastFiveMinutes: { finished: 100, succeeded, perMinute }, pool: { utilization }, workers: Array(nodes).fill({}) }) as never;

it.each([
  [100, 0, 100], [100, 1, 70], [0, 0, 30], [50, 0.5, 50],
])('of %d %% success at utilization %d the score of `metrics` is %d', (success, utilization, score) =>
  expect(healthScoreOf(success, utilization)).toBe(score)); // prettier-ignore

it.each([
  [0, 0, 100, 1, 'LOW', 100],
  [0.5, 20, 95, 1, 'LOW', 100],
  [0.51, 0, 100, 1, 'MEDIUM', 100],
  [0.61, 0, 100, 1, 'MEDIUM', 85],
  [0.86, 0, 100, 1, 'HIGH', 70],
  [0, 21, 100, 1, 'MEDIUM', 90],
  [0, 51, 100, 1, 'HIGH', 80],
  [0, 102, 100, 2, 'HIGH', 80],
  [0, 100, 100, 5, 'LOW', 100],
  [0, 0, 94, 1, 'LOW', 90],
  [1, 100, 50, 1, 'HIGH', 30],
])('utilization %d, %d a minute, %d %% success on %d nodes: %s, %d', (utilization, perMinute, succeeded, nodes, level, score) => {
  expect(impactOf(figures(utilization, perMinute, succeeded, nodes))).toMatchObject({ level, score });
}); // prettier-ignore
