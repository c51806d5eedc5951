import { monitorEventLoopDelay } from 'node:perf_hooks';
import type { Logger } from 'pino';
import { LOOP_LATE_MS } from './deadlines';

/** The loop is asked this often whether it still comes round in time. */
const RESOLUTION_MS = 50;
const REPORT_MS = 1_000;

/**
 * Logs when this process' event loop was late by `LOOP_LATE_MS` or more: locks are then renewed late, and callers answered
 * late. `cpuMs` tells whose fault it was: about as much as the delay, and the process was at work itself; far less, and it
 * was not given the CPU (a starved host, a stopped process).
 * @returns the way to end it
 */
export function watchEventLoop(logger: Logger): () => void {
  const histogram = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
  histogram.enable();
  let cpuBefore = process.cpuUsage();
  const timer = setInterval(() => {
    const { user, system } = process.cpuUsage(cpuBefore);
    cpuBefore = process.cpuUsage();
    const lateMs = Math.round(histogram.max / 1e6 - RESOLUTION_MS);
    histogram.reset();
    if (lateMs >= LOOP_LATE_MS) logger.warn({ lateMs, cpuMs: Math.round((user + system) / 1_000) }, 'the event loop was late');
  }, REPORT_MS);
  timer.unref();
  return () => {
    clearInterval(timer);
    histogram.disable();
  };
}
