import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, it } from '@jest/globals';

it('the benchmark’s short form runs on the real thing, without an error or a wrong answer', async () => {
  const { stdout } = await promisify(execFile)(process.execPath, [join(__dirname, '..', '..', 'bench', 'main.mjs'), '--short'], {
    timeout: 110_000,
  });
  const rows = [...stdout.matchAll(/^python3-cluster fresh +(\d+) +(\d+) +[\d.]+ +[\d.]+ +(\d+)$/gm)].map((row) =>
    row.slice(1).map(Number),
  );
  expect(rows.map(([callers]) => callers)).toEqual([1, 8, 64]);
  for (const [, jobsPerSecond, errors] of rows) {
    expect(jobsPerSecond).toBeGreaterThan(0);
    expect(errors).toBe(0);
  }
  expect(stdout).toMatch(/fresh sync throughput ÷ RQ: not measured/);
}, 120_000);
