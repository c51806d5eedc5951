'use strict';
// Loaded into a process before its program (NODE_OPTIONS=--require=…): writes how late the event loop was to a file named
// for the process in LOOP_DELAY_DIRECTORY, a JSON line each quarter of a second. Without that variable it does nothing.
const { appendFileSync } = require('node:fs');
const { join } = require('node:path');
const { monitorEventLoopDelay } = require('node:perf_hooks');

const RESOLUTION_MS = 10;
const WRITE_MS = 250;
const directory = process.env.LOOP_DELAY_DIRECTORY;

if (directory !== undefined) {
  const path = join(directory, String(process.pid));
  const histogram = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
  histogram.enable();
  let cpuBefore = process.cpuUsage();
  const toLateMs = (nanoseconds) => Math.max(0, Math.round((nanoseconds / 1e6 - RESOLUTION_MS) * 10) / 10);
  setInterval(() => {
    const { user, system } = process.cpuUsage(cpuBefore);
    cpuBefore = process.cpuUsage();
    // cpuMs far below maxMs: the process was not at work, it was not given the CPU.
    const line = {
      at: Date.now(),
      maxMs: toLateMs(histogram.max),
      p99Ms: toLateMs(histogram.percentile(99)),
      cpuMs: (user + system) / 1_000,
    };
    histogram.reset();
    appendFileSync(path, `${JSON.stringify(line)}\n`);
  }, WRITE_MS).unref();
}
