import { expect, it } from '@jest/globals';
import { ephemeralPorts, isWithin, warnOfPorts } from './ephemeral-ports';
import { loadConfig } from './load-config';

it('a port that the kernel gives to whoever asks is warned of, by the setting that names it', () => {
  const { first, last } = ephemeralPorts();
  expect(first).toBeLessThan(last);
  expect(loadConfig({ PORT: String(first), PYTHON3_WORKER_METRICS_PORT: String(last) }).warnings).toEqual([
    expect.stringContaining(`PORT=${first}`),
    expect.stringContaining(`PYTHON3_WORKER_METRICS_PORT=${last}`),
  ]);
  expect(loadConfig({}).warnings).toEqual([]);
  expect(warnOfPorts({ PORT: 8311 }, { first: 9_000, last: 9_001 })).toEqual([]);
  expect([first - 1, first, last, last + 1].map((port) => isWithin(port, { first, last }))).toEqual([false, true, true, false]);
});
