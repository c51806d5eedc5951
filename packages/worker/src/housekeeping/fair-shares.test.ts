import { expect, it } from '@jest/globals';
import { fairShares } from './fair-shares';

const shares = (held: readonly number[], total: number): number[] =>
  [...fairShares(new Map(held.entries()), total)].sort().map(([, share]) => share);

it.each<[held: number[], total: number, shares: number[]]>([
  [[10, 20, 30], 100, [10, 20, 30]],
  [[10, 20, 30], 60, [10, 20, 30]],
  [[10, 20, 900], 100, [10, 20, 70]],
  [[500, 10, 500], 100, [45, 10, 45]],
  [[50, 50], 51, [25, 26]],
  [[7], 0, [0]],
  [[], 5, []],
])('%j share %d as %j', (held, total, expected) => {
  expect(shares(held, total)).toEqual(expected);
});
