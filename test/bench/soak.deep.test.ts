import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';

const MAIN = join(__dirname, '..', '..', 'bench', 'soak', 'main.mjs');
const MEBIBYTE = 1_048_576;
let directory: string;
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'p3-soak-test-'));
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

interface Finding {
  readonly name: string;
  readonly verdict: string;
  readonly growth: number;
}

interface Soaked {
  readonly code: number | null;
  readonly stdout: string;
  readonly result: { readonly soak: string; readonly flat: boolean; readonly errors: number; readonly counts: Record<string, number>; readonly findings: Finding[] }; // prettier-ignore
}

function soak(...args: string[]): Promise<Soaked> {
  const child = spawn(process.execPath, [MAIN, ...args], { stdio: ['ignore', 'pipe', 'inherit'] });
  let stdout = '';
  child.stdout.on('data', (chunk: Buffer) => (stdout += chunk.toString()));
  return new Promise((resolve) => {
    child.once('close', (code) => {
      resolve({ code, stdout, result: JSON.parse(stdout.trimEnd().split('\n').at(-1) ?? '') as Soaked['result'] });
    });
  });
}

/** Judges a figure that was sampled each second, as if a run had written it. */
async function judge(valueAt: (second: number) => number, figure: object = {}, seconds = 120): Promise<{ code: number | null; verdict: string }> {
  const path = join(directory, 'run.json');
  const samples = Array.from({ length: seconds }, (_, second) => [second * 1_000, valueAt(second)]);
  const figures = [{ name: 'x', kind: 'bytes', samples, ...figure }, { name: 'flat', kind: 'keys', samples: samples.map(([at]) => [at, 5]) }];
  writeFileSync(path, JSON.stringify({ ms: seconds * 1_000, counts: {}, errors: 0, skipped: 0, figures }));
  const { code, result } = await soak('--judge', path);
  return { code, verdict: result.findings[0]?.verdict ?? '' };
} // prettier-ignore

const noise = (second: number): number => Math.sin(second * 12.9898) * 5 * MEBIBYTE;

describe('the judge of the soak', () => {
  it.each<[string, (second: number) => number, object]>([
    ['is still', () => 100 * MEBIBYTE, {}],
    ['is noisy', (second) => 100 * MEBIBYTE + noise(second), {}],
    ['grows while it warms up', (second) => (50 + Math.min(second, 39) * 4) * MEBIBYTE, {}],
    ['is collected now and then', (second) => (100 + (second % 17) * 2) * MEBIBYTE, {}],
    ['shrinks', (second) => (300 - second) * MEBIBYTE, {}],
    ['grows by less than can be told', (second) => (20 + second * 0.1) * MEBIBYTE, {}],
  ])('calls flat what %s', async (_, valueAt, figure) => {
    expect(await judge(valueAt, figure)).toEqual({ code: 0, verdict: 'flat' });
  });

  it.each<[string, (second: number) => number, string, object]>([
    ['leaks slowly under noise', (second) => (100 + second * 0.3) * MEBIBYTE + noise(second), 'grows', {}],
    ['leaks a descriptor every other second', (second) => 30 + second / 2, 'grows', { kind: 'descriptors' }],
    ['leaves a process behind now and then', (second) => 4 + Math.floor(second / 10), 'grows', { kind: 'processes' }],
    ['doubles for a moment', (second) => (second === 90 ? 300 : 100) * MEBIBYTE, 'peaks', {}],
  ])('does not, what %s', async (_, valueAt, verdict, figure) => {
    expect(await judge(valueAt, figure)).toEqual({ code: 1, verdict });
  });

  it('does not judge what may still be filling', async () => {
    const filling = (second: number): number => Math.min(second, 60) * MEBIBYTE;
    expect(await judge(filling, { settlesAfterMs: 60_000 })).toEqual({ code: 0, verdict: 'flat' });
    expect(await judge(filling, { settlesAfterMs: 200_000 })).toEqual({ code: 0, verdict: 'not judged' });
  });
});

it('a short soak runs every kind of job through the real cluster, and tells of a process that leaks', async () => {
  const leak = 'const kept = []; setInterval(() => kept.push(Buffer.alloc(1048576, 1)), 100)';
  const leaking = spawn(process.execPath, ['-e', leak], { stdio: 'ignore' });
  try {
    const { code, stdout, result } = await soak('--minutes', '0.35', '--rate', '8', '--samples', '30', '--watch', String(leaking.pid));
    expect([code, result.soak, result.flat, result.errors]).toEqual([1, 'failed', false, 0]);
    expect(Object.keys(result.counts).sort()).toEqual(['cancelled', 'failing', 'fetched', 'fresh', 'output', 'warm']);
    const verdicts = Object.fromEntries(result.findings.map(({ name, verdict }) => [name, verdict]));
    expect(verdicts[`process ${leaking.pid} RSS`]).toBe('grows');
    for (const name of ['API RSS', 'worker RSS', 'template RSS', 'API descriptors', 'worker descriptors', 'children'])
      expect([name, verdicts[name]]).not.toEqual([name, 'not judged']);
    expect(stdout).toMatch(/^ +s +API RSS MiB +worker RSS MiB.*worker loop ms$/m);
  } finally {
    leaking.kill('SIGKILL');
  }
}, 120_000);

it('a soak does not start with options it does not know', async () => {
  const child = spawn(process.execPath, [MAIN, '--minutes', 'x'], { stdio: 'ignore' });
  expect(await new Promise((resolve) => child.once('exit', resolve))).toBe(2);
});
