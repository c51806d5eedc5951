import { expect, it } from '@jest/globals';
import { OUTCOME_STATUSES, type OutcomeStatus } from '@python3-cluster/shared';
import { countsAsBreach } from './counts-as-breach';

const config = { timeoutSeconds: 30, maxMemoryMb: 512, maxCpuSeconds: 60 };
const limits = { timeoutMs: 30_000, memoryMb: 512, cpuSeconds: 60 };

it('counts crashes and broken limits, and no other end', () => {
  expect(OUTCOME_STATUSES.filter((status) => countsAsBreach(status, limits, config))).toEqual(['timed_out', 'out_of_memory', 'cpu_exceeded', 'crashed']);
}); // prettier-ignore

it.each<[OutcomeStatus, object]>([
  ['timed_out', { timeoutMs: 29_999 }],
  ['out_of_memory', { memoryMb: 511 }],
  ['cpu_exceeded', { cpuSeconds: 59 }],
  ['crashed', { memoryMb: 32 }],
])('does not count %s where the caller had lowered a limit', (status, lowered) => {
  expect(countsAsBreach(status, { ...limits, ...lowered }, config)).toBe(false);
  expect(countsAsBreach(status, { timeoutMs: 60_000, memoryMb: 1_024, cpuSeconds: 100 }, config)).toBe(true);
});
