import { afterEach, expect, it } from '@jest/globals';
import { pino } from 'pino';
import { waitFor } from '../../../../test/support/wait-for';
import { LOOP_LATE_MS } from './deadlines';
import { watchEventLoop } from './loop-watch';

interface Line {
  readonly msg: string;
  readonly lateMs: number;
  readonly cpuMs: number;
}

let stop: (() => void) | undefined;
afterEach(() => stop?.());

function watch(): Line[] {
  const lines: Line[] = [];
  stop = watchEventLoop(pino({ level: 'warn' }, { write: (text: string) => void lines.push(JSON.parse(text) as Line) }));
  return lines;
}

const turns = (count: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, count));

it('work that holds the event loop up is told, with how long and that it was at work', async () => {
  const lines = watch();
  await turns(200);
  const blockMs = 2 * LOOP_LATE_MS;
  // By its own CPU time: on a starved machine the clock runs on without it.
  for (const before = process.cpuUsage(); process.cpuUsage(before).user < blockMs * 1_000;);
  const [line] = await waitFor('the line', () => lines.length > 0 && lines);
  expect(line?.msg).toBe('the event loop was late');
  expect(line?.lateMs).toBeGreaterThanOrEqual(blockMs - 100);
  expect(line?.cpuMs).toBeGreaterThan(100);
});

it('a wait that holds it up without work is told apart', async () => {
  const lines = watch();
  await turns(200);
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 3 * LOOP_LATE_MS);
  const [line] = await waitFor('the line', () => lines.length > 0 && lines);
  expect(line?.lateMs).toBeGreaterThanOrEqual(3 * LOOP_LATE_MS - 100);
  expect(line?.cpuMs).toBeLessThan(line?.lateMs ?? 0);
});

it('shorter work is not', async () => {
  const lines = watch();
  await turns(200);
  for (const until = performance.now() + LOOP_LATE_MS / 10; performance.now() < until;);
  await turns(1_500);
  // The machine may be starved; then the line says so.
  for (const line of lines) expect(line.cpuMs).toBeLessThan(line.lateMs);
});
