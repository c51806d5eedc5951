import { expect, it } from '@jest/globals';
import { RedisClock } from './redis-clock';

const SERVER = 1_800_000_000_000;
/** A sample whose question took `there` and whose answer took `back`, on a clock that is `offset` ahead. */
function sample(clock: RedisClock, there: number, back: number, offset = SERVER): void {
  const now = performance.now();
  clock.add(Math.floor(now - back + offset), now - back - there, now);
}
const errorOf = (clock: RedisClock, offset = SERVER): number => performance.now() + 100 + offset - (clock.earliestIn(100) ?? NaN);

it('says nothing before it has heard anything', () => {
  expect(new RedisClock().earliestIn(0)).toBeUndefined();
});

it.each([
  [0, 0],
  [900, 0],
  [0, 900],
  [450, 450],
])('is never ahead of the server, %i ms there and %i ms back', (there, back) => {
  const clock = new RedisClock();
  sample(clock, there, back);
  expect(errorOf(clock)).toBeGreaterThanOrEqual(0);
  expect(errorOf(clock)).toBeLessThan(back + 20);
});

it('is as good as its quickest answer, whatever comes after', () => {
  const clock = new RedisClock();
  sample(clock, 800, 800);
  sample(clock, 1, 1);
  sample(clock, 5_000, 5_000);
  expect(errorOf(clock)).toBeGreaterThanOrEqual(0);
  expect(errorOf(clock)).toBeLessThan(20);
});

it.each([-60_000, 60_000])('follows a clock that is set by %i ms', (step) => {
  const clock = new RedisClock();
  sample(clock, 1, 1);
  sample(clock, 1, 1, SERVER + step);
  expect(errorOf(clock, SERVER + step)).toBeGreaterThanOrEqual(0);
  expect(errorOf(clock, SERVER + step)).toBeLessThan(20);
});
