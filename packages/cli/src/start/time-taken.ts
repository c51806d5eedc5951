import { startedByAgoMs } from './watch-ancestors';

/** A part of a start that may be long, as a measure of the process; `scripts/launch` leaves some, too. */
export async function timed<T>(name: string, action: () => Promise<T>): Promise<T> {
  const start = performance.now();
  const result = await action();
  performance.measure(`${PREFIX}${name}`, { start, end: performance.now() });
  return result;
}

const PREFIX = 'start: ';
/** What is shorter is the rest's. */
const LEAST_MS = 500;

/** How long it all took, npm and everything that it waited for included, and what took the time. */
export function describeTimeTaken(totalMs = startedByAgoMs()): string {
  const parts = performance
    .getEntriesByType('measure')
    .filter(({ name, duration }) => name.startsWith(PREFIX) && duration >= LEAST_MS)
    .map(({ name, duration }) => [name.slice(PREFIX.length), duration] as const);
  const restMs = totalMs - parts.reduce((sum, [, duration]) => sum + duration, 0);
  const words = [...parts, ['the rest', restMs] as const].map(([name, ms]) => `${name} ${toSeconds(ms)}`);
  return `Up after ${toSeconds(totalMs)}${parts.length === 0 ? '' : ` (${words.join(', ')})`}.`;
}

const toSeconds = (ms: number): string => `${(ms / 1_000).toFixed(1)} s`;
