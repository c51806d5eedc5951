import type { AlertReading, ClusterReading, LaneReading, RunningReading, WorkerReading } from './cluster-reading';
import { formatBar, formatCount, formatDuration, formatMemory, formatShare, UNKNOWN } from './format-figure';
import type { TopView } from './top-view';
import type { Style } from './styled-line';
import type { Column } from './table';

export const failureStyle = (share = 0): Style => (share > 0.2 ? 'red' : share > 0 ? 'yellow' : 'plain');

const fullStyle = (share: number): Style => (share > 0.95 ? 'red' : share > 0.8 ? 'yellow' : 'plain');

export const alertColumns = (now: number): Column<AlertReading>[] => [
  { title: 'ALERT', width: 26, align: 'left', text: ({ name }) => name, style: severityStyle },
  { title: 'SEVERITY', width: 8, align: 'left', text: ({ severity }) => severity, style: severityStyle },
  { title: 'ABOUT', width: 16, align: 'left', text: ({ subject }) => subject },
  { title: 'SINCE', width: 7, align: 'right', text: ({ startedAt }) => formatDuration(startedAt && Math.max(0, now - startedAt)) },
  { title: 'STATE', width: 12, align: 'left', text: ({ state }) => state },
  { title: 'MESSAGE', width: 120, align: 'left', text: ({ message }) => message },
];

const severityStyle = ({ severity }: AlertReading): Style => (severity === 'CRITICAL' ? 'red' : 'yellow');

export const LANE_COLUMNS: readonly Column<LaneReading>[] = [
  { title: 'LANE', width: 20, align: 'left', text: ({ lane }) => lane },
  {
    title: 'NODES', width: 5, align: 'right', text: ({ workers }) => formatCount(workers),
    style: ({ workers, waiting }) => (workers === 0 && (waiting ?? 0) > 0 ? 'red' : 'plain'),
  },
  { title: 'WAITING', width: 9, align: 'right', text: ({ waiting }) => formatCount(waiting) },
  { title: 'OLDEST', width: 7, align: 'right', text: ({ oldestWaitingMs }) => formatDuration(oldestWaitingMs) },
  { title: 'DELAYED', width: 8, align: 'right', text: ({ delayed }) => formatCount(delayed) },
  { title: 'ACTIVE', width: 7, align: 'right', text: ({ active }) => formatCount(active) },
  { title: 'JOBS/MIN', width: 9, align: 'right', text: ({ lastFiveMinutes }) => formatCount(lastFiveMinutes.perMinute) },
  {
    title: 'FAILED', width: 8, align: 'right', text: ({ lastFiveMinutes }) => formatShare(lastFiveMinutes.failureShare),
    style: ({ lastFiveMinutes }) => failureStyle(lastFiveMinutes.failureShare),
  },
  { title: 'P50', width: 7, align: 'right', text: ({ lastFiveMinutes: { runMs } }) => (runMs.count === 0 ? UNKNOWN : formatDuration(runMs.p50)) },
  { title: 'P95', width: 7, align: 'right', text: ({ lastFiveMinutes: { runMs } }) => (runMs.count === 0 ? UNKNOWN : formatDuration(runMs.p95)) },
]; // prettier-ignore

const BAR_WIDTH = 20;

export const workerColumns = ({ workers }: ClusterReading): Column<WorkerReading>[] => [
  { title: 'WORKER NODE', width: Math.min(40, Math.max(20, ...workers.map(({ id }) => id.length))), align: 'left', text: ({ id }) => id },
  { title: 'LEVEL', width: 5, align: 'left', text: ({ level }) => level ?? UNKNOWN },
  { title: 'SLOTS', width: BAR_WIDTH + 2, align: 'left', text: ({ inUse: used, max }) => formatBar(used, max, BAR_WIDTH) },
  { title: 'IN USE', width: 8, align: 'right', text: ({ inUse: used, max }) => `${formatCount(used)}/${formatCount(max)}` },
  { title: 'WAITING', width: 7, align: 'right', text: ({ waiting }) => formatCount(waiting) },
  { title: 'CPU', width: 5, align: 'right', text: ({ cpuShare }) => (cpuShare === undefined ? UNKNOWN : `${Math.round(100 * cpuShare)} %`), style: ({ cpuShare = 0 }) => fullStyle(cpuShare) },
  { title: 'MEMORY', width: 15, align: 'right', text: ({ memoryUsedBytes, memoryTotalBytes }) => formatMemory(memoryUsedBytes, memoryTotalBytes), style: ({ memoryUsedBytes = 0, memoryTotalBytes = Infinity }) => fullStyle(memoryUsedBytes / memoryTotalBytes) },
  { title: 'IN 5 MIN', width: 8, align: 'right', text: ({ finished }) => formatCount(finished) },
  { title: 'FAILED', width: 7, align: 'right', text: ({ failed }) => formatCount(failed), style: ({ failed = 0 }) => (failed > 0 ? 'yellow' : 'plain') },
  { title: 'LANES', width: 30, align: 'left', text: ({ lanes, draining }) => (draining ? '(draining) ' : '') + lanes.join(',') },
]; // prettier-ignore

export const runningColumns = ({ now, marked }: Pick<TopView, 'now' | 'marked'>): Column<RunningReading>[] => [
  { title: 'RUNNING JOB', width: 42, align: 'left', text: ({ id }) => `${id === marked ? '>' : ' '} ${id}`, style: ({ id }) => (id === marked ? 'bold' : 'plain') },
  { title: 'FOR', width: 7, align: 'right', text: ({ startedAt }) => formatDuration(startedAt && Math.max(0, now - startedAt)) },
  { title: 'OWNER', width: 16, align: 'left', text: ({ owner }) => owner },
  { title: 'KIND', width: 5, align: 'left', text: ({ kind }) => kind },
  { title: 'MODE', width: 10, align: 'left', text: ({ mode }) => mode, style: ({ mode }) => (mode === 'admin' ? 'yellow' : 'plain') },
  { title: 'LANE', width: 12, align: 'left', text: ({ lane }) => lane },
  { title: 'NODE', width: 24, align: 'left', text: ({ worker, isCancelled }) => (isCancelled ? `(being cancelled) ${worker}` : worker) },
]; // prettier-ignore
