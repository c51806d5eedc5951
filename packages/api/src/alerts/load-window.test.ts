import { expect, it } from '@jest/globals';
import { LoadWindow } from './load-window';

it('is the mean of the last minute, and says nothing before it has seen half of one', () => {
  const load = new LoadWindow();
  expect(load.mean(0)).toBeUndefined();
  for (let second = 0; second <= 28; second += 2) load.add(1, second * 1_000);
  expect(load.mean(29_000)).toBeUndefined();
  load.add(1, 30_000);
  expect(load.mean(30_000)).toBe(1);
  for (let second = 32; second <= 90; second += 2) load.add(0, second * 1_000);
  expect(load.mean(90_000)).toBeCloseTo(1 / 31, 5);
  load.add(0, 92_000);
  expect(load.mean(92_000)).toBe(0);
});
