import { afterAll, beforeAll } from '@jest/globals';
import { waitFor } from './wait-for';

const countTimers = (): number => process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length;

/**
 * For a test file that disconnects clients from a Redis that has gone: ioredis gives each of them two seconds to take leave, and
 * Jest would say that its process does not end. Waits for them after all that the file does afterwards.
 */
export function waitForLastTimers(): void {
  let before = 0;
  beforeAll(() => void (before = countTimers()));
  afterAll(() => waitFor('the last timers', () => countTimers() <= before, 5_000));
}
