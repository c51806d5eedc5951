import { expect, it } from '@jest/globals';
import type { LaneFigures } from './cluster-figures';
import type { FiguresReader, FiguresReading } from './figures-reader';
import { createCounts } from './lane-counts';
import { observeCluster } from './observe-cluster';
import { toTotals, toWindow } from './to-figures';

const lane = (name: string, has: { workers?: number; open?: number; accepted?: number; finished?: number } = {}): LaneFigures => {
  const recent = { ...toWindow(createCounts(), 5), accepted: has.accepted ?? 0, finished: has.finished ?? 0 };
  const totals = { ...toTotals(createCounts()), accepted: 7, open: has.open ?? 0 };
  return {
    lane: name, workers: has.workers ?? 0, waiting: 0, delayed: 0, active: 0, oldestWaitingMs: null, lastMinute: recent, lastFiveMinutes: recent, totals,
  };
}; // prettier-ignore

it('a lane is told while somebody serves or uses it, and its series end then', async () => {
  const lanes = [
    lane('served', { workers: 1 }), lane('held', { open: 3 }), lane('asked', { accepted: 1 }), lane('ended', { finished: 2 }), lane('forgotten'),
  ]; // prettier-ignore
  const pool = { size: 0, max: 0, inUse: 0, healthy: 0, waiting: 0, utilization: 0 };
  const totals = toTotals(createCounts());
  const figures = {
    readAt: 0,
    lastMinute: toWindow(createCounts(), 1),
    lastFiveMinutes: toWindow(createCounts(), 5),
    totals,
    lanes,
    pool,
    workers: [],
  };
  const reading: FiguresReading = { figures, totals: new Map(lanes.map(({ lane: name }) => [name, createCounts()])), readAt: 0 };
  const reader = { readOrLast: () => Promise.resolve({ reading, isCurrent: true }) } as unknown as FiguresReader;
  const told: string[] = [];
  await observeCluster(reader, () => [])((metric, _value, labels) => {
    const of = labels?.['lane'];
    if (typeof of === 'string') told.push(`${metric} ${of}`);
  });
  for (const metric of ['jobsAccepted', 'workersLive', 'syntaxChecks']) {
    expect(told.filter((series) => series.startsWith(`${metric} `)).map((series) => series.split(' ')[1])).toEqual([
      'served',
      'held',
      'asked',
      'ended',
    ]);
  }
  expect(told.filter((series) => series.includes('forgotten'))).toEqual([]);
});
