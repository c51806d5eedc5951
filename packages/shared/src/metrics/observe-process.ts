import { monitorEventLoopDelay } from 'node:perf_hooks';
import { mostDescriptors, openDescriptors } from '../lifecycle/descriptor-watch';
import { droppedLogLines } from '../logging/log-sink';
import type { MetricSource } from './instruments';

const RESOLUTION_MS = 20;
const NANOSECONDS = 1e9;

/** What any process of ours tells of itself. */
export function observeProcess(): { readonly source: MetricSource; readonly stop: () => void } {
  const delay = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
  delay.enable();
  const source: MetricSource = (report) => {
    const { user, system } = process.cpuUsage();
    report('uptime', process.uptime());
    report('cpu', user / 1e6, { 'cpu.mode': 'user' });
    report('cpu', system / 1e6, { 'cpu.mode': 'system' });
    report('descriptors', openDescriptors() ?? NaN);
    report('descriptorsMax', mostDescriptors() ?? NaN);
    report('logDropped', droppedLogLines());
    report('residentMemory', process.memoryUsage.rss());
    report('loopDelayP99', late(delay.percentile(99)));
    report('loopDelayMax', late(delay.max));
    delay.reset();
  };
  return { source, stop: () => delay.disable() };
}

/** The timer itself takes its resolution. */
const late = (nanoseconds: number): number => Math.max(0, nanoseconds / NANOSECONDS - RESOLUTION_MS / 1_000);
