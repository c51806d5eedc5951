import { expect, it } from '@jest/globals';
import { loadConfig } from '@python3-cluster/shared';
import type { ClusterReading } from '../top/cluster-reading';
import { fail, ok, warn } from './check';
import { describeCluster } from './check-cluster';
import { checkMemory } from './check-memory';
import { renderChecks } from './render-checks';

const checks = [ok('Node', 'v24'), warn('Memory', 'little', 'buy some'), fail('Settings', 'Bad:\n  - x\u001b[2J', 'mend them')];

it('each check is a line, and below what is not well stands what to do', () => {
  expect(renderChecks(checks, false)).toEqual([
    'ok    Node      v24',
    'warn  Memory    little',
    '                do: buy some',
    'FAIL  Settings  Bad:\n                  - x?[2J',
    '                do: mend them',
  ]);
});

it('in colour it says the same', () => {
  const coloured = renderChecks(checks, true);
  expect(coloured[1]).toContain('\u001b[33mwarn\u001b[0m');
  // eslint-disable-next-line no-control-regex -- they are what it is about
  expect(coloured.map((line) => line.replace(/\u001b\[[0-9;]*m/g, ''))).toEqual(renderChecks(checks, false));
});

it('memory is judged by what a job of each slot may take at once', () => {
  const { config } = loadConfig({ PYTHON3_POOL_MAX: '6', PYTHON3_MAX_MEMORY_MB: '512' });
  const gibibytes = (count: number) => ({ usedBytes: 0, totalBytes: count * 2 ** 30 });
  expect(checkMemory(config, gibibytes(4))).toMatchObject({ verdict: 'ok', text: expect.stringContaining('4.0 GiB for 6 slots: 597 MiB each') });
  expect(checkMemory(config, gibibytes(3))).toMatchObject({ verdict: 'warn', remedy: expect.stringMatching(/^set PYTHON3_POOL_MAX=5/) });
  expect(checkMemory(config, gibibytes(1))).toMatchObject({ verdict: 'warn', remedy: expect.stringMatching(/^lower PYTHON3_MAX_MEMORY_MB/) });
}); // prettier-ignore

it('of a running cluster it says what is missing, and what to do about it', () => {
  const health = { status: 'degraded', reasons: ['No worker node is up.'], redisWritable: true, breaker: 'closed', isolationLevel: undefined, version: '1' };
  const none = { perMinute: 0, failureShare: 0, queuedMs: { count: 0, p50: 0, p95: 0 }, runMs: { count: 0, p50: 0, p95: 0 } };
  const lane = { lane: 'press', workers: 0, waiting: 3, delayed: 0, active: 0, oldestWaitingMs: 1, lastFiveMinutes: none };
  const reading: ClusterReading = { problems: [], health, lanes: [lane], workers: [], alerts: [], running: [] };
  const found = describeCluster('http://127.0.0.1:8311', reading);
  expect(found.map(({ name, verdict }) => `${name} ${verdict}`)).toEqual(['API warn', 'Redis in use ok', 'Worker nodes fail', 'Lane warn']);
  for (const { verdict, remedy } of found) expect(remedy !== undefined).toBe(verdict !== 'ok');
  expect(found.at(-1)).toMatchObject({ text: 'press: 0 nodes, 3 waiting', remedy: expect.stringContaining('PYTHON3_LANES=press') });
}); // prettier-ignore
