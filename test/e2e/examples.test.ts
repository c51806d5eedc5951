import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from '@jest/globals';
import { useStandardCluster } from '../support/standard-cluster';
import { DEVELOPER_KEY } from '../support/test-cluster';

const script = join(__dirname, '..', '..', 'examples', 'temperature.mjs');
const directory = mkdtempSync(join(tmpdir(), 'python3-example-'));
const cluster = useStandardCluster();
afterAll(() => rmSync(directory, { recursive: true, force: true }));

const run = (...args: string[]): string =>
  execFileSync(process.execPath, [script, ...args], {
    encoding: 'utf8',
    env: { ...process.env, PYTHON3_URL: cluster.url(), PYTHON3_DEVELOPER_APIKEY: DEVELOPER_KEY },
  });

it('the README’s example finds the one reading that is out of the ordinary', () => {
  expect(run()).toMatch(/^60 readings, 5 hours, 1 beyond 4 sigma\n2026-01-05 09:25:00 {2}96\.4 /);
});

it('the same code takes a quarter of a year of readings as variables', () => {
  const rows = Array.from({ length: 25_000 }, (_, index) => {
    const when = new Date(Date.UTC(2025, 0, 1, 0, 5 * index)).toISOString().slice(0, 19).replace('T', ' ');
    const value = index === 20_000 ? 140 : 80 + Math.sin(index / 50) * 3;
    return `${when},${value.toFixed(8)}`;
  });
  const path = join(directory, 'readings.csv');
  writeFileSync(path, `timestamp,value\n${rows.join('\n')}\n`);
  expect(run(path)).toMatch(/^25000 readings, 2084 hours, 1 beyond 4 sigma\n2025-03-11 10:40:00 {2}140 /);
});
