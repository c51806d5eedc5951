// What the processes of the cluster use at a moment, from /proc, Redis, and what their loops say of themselves.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { listDescendants, readProcessTable } from '../process-table.mjs';

/** Figure → kind, for `judge`. `RSS` in bytes. */
export const FIGURES = {
  'API RSS': 'bytes',
  'worker RSS': 'bytes',
  'template RSS': 'bytes',
  'Redis RSS': 'bytes',
  'Redis used': 'storedBytes',
  'Redis keys': 'keys',
  'API descriptors': 'descriptors',
  'worker descriptors': 'descriptors',
  children: 'processes',
};

/** @param parts `{ api, worker, redis, loopDirectory, askRedis, watchedPids }` */
export async function sample({ api, worker, redis, loopDirectory, askRedis, watchedPids }, since) {
  const table = readProcessTable();
  const below = listDescendants(worker.pid, table);
  const templates = below.filter((entry) => entry.parent === worker.pid && below.some((other) => other.parent === entry.pid));
  const memory = await askRedis((client) => client.info('memory'));
  const figures = {
    'API RSS': readResidentBytes(api.pid),
    'worker RSS': readResidentBytes(worker.pid),
    'template RSS': sum(templates.map(({ pid }) => readResidentBytes(pid))),
    'Redis RSS': readResidentBytes(redis.pid),
    'Redis used': Number(/^used_memory:(\d+)/m.exec(memory)?.[1]),
    'Redis keys': await askRedis((client) => client.dbsize()),
    'API descriptors': countDescriptors(api.pid),
    'worker descriptors': countDescriptors(worker.pid),
    children: below.length - templates.length,
    ...Object.fromEntries(watchedPids.map((pid) => [watchedName(pid), readResidentBytes(pid)])),
  };
  return { figures, loops: { api: latestLoop(loopDirectory, api.pid, since), worker: latestLoop(loopDirectory, worker.pid, since) } };
}

export const watchedName = (pid) => `process ${pid} RSS`;

/** Longest delays since then, in milliseconds: of the loop, and the part of it that was the process' own work. */
function latestLoop(directory, pid, since) {
  const path = join(directory, String(pid));
  if (!existsSync(path)) return { lateMs: 0, workMs: 0 };
  const lines = readFileSync(path, 'utf8').trimEnd().split('\n').filter(Boolean).map((line) => JSON.parse(line)); // prettier-ignore
  const recent = lines.filter(({ at }) => at >= since);
  return {
    lateMs: Math.max(0, ...recent.map(({ maxMs }) => maxMs)),
    workMs: Math.round(Math.max(0, ...recent.map(({ maxMs, cpuMs }) => Math.min(maxMs, cpuMs)))),
  };
}

function readResidentBytes(pid) {
  try {
    return 1_024 * Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))?.[1] ?? 0);
  } catch {
    return 0; // it has just ended
  }
}

const countDescriptors = (pid) => readdirSync(`/proc/${pid}/fd`).length;
const sum = (numbers) => numbers.reduce((total, number) => total + number, 0);
