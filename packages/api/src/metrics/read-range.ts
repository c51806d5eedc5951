import { ClusterError, LANE_PATTERN, MINUTES_KEPT } from '@python3-cluster/shared';
import type { JsonValue } from '../responses/raw-json';
import type { ClusterMetrics } from './cluster-metrics';
import { addCounts, createCounts } from './lane-counts';
import { toWindow } from './to-figures';

const MINUTE_MS = 60_000;

/** Points of `step` seconds each from the minutes that are kept; a minute that is not over counts as far as it is. */
export async function readRange(clusterMetrics: ClusterMetrics, query: ReadonlyMap<string, string>): Promise<JsonValue> {
  const { readAt } = await clusterMetrics.reader.read();
  const stepSeconds = readWhole(query.get('step'), 'step', 60);
  const stepMinutes = stepSeconds / 60;
  if (stepSeconds === 0 || !Number.isInteger(stepMinutes) || stepMinutes > MINUTES_KEPT)
    throw new ClusterError('REQUEST_INVALID', `'step' must be a multiple of 60 seconds, at most ${60 * MINUTES_KEPT}.`);
  const now = Math.floor(readAt / MINUTE_MS);
  const to = Math.min(now, Math.floor(readWhole(query.get('to'), 'to', readAt) / MINUTE_MS));
  const from = Math.max(now - MINUTES_KEPT + 1, Math.floor(readWhole(query.get('from'), 'from', (to - 59) * MINUTE_MS) / MINUTE_MS));
  if (from > to)
    throw new ClusterError('REQUEST_INVALID', `'from' must be before 'to', and within the ${MINUTES_KEPT} minutes that are kept.`);
  const lane = query.get('lane');
  if (lane !== undefined && !LANE_PATTERN.test(lane)) throw new ClusterError('REQUEST_INVALID', "'lane' must be a lane name.");
  const minutes = await clusterMetrics.readMinutes(from, to, lane);
  const points: JsonValue[] = [];
  for (let start = 0; start < minutes.length; start += stepMinutes) {
    const sum = createCounts();
    const part = minutes.slice(start, start + stepMinutes);
    for (const minute of part) addCounts(sum, minute);
    points.push({ at: (from + start) * MINUTE_MS, ...toWindow(sum, part.length) } as unknown as JsonValue);
  }
  return { from: from * MINUTE_MS, to: (to + 1) * MINUTE_MS, stepSeconds, points };
}

function readWhole(text: string | undefined, name: string, fallback: number): number {
  if (text === undefined) return fallback;
  if (!/^\d{1,15}$/.test(text)) throw new ClusterError('REQUEST_INVALID', `'${name}' must be a whole number.`);
  return Number(text);
}
