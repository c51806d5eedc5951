import { afterEach, beforeEach, expect, it, jest } from '@jest/globals';
import { createProgress } from './progress';

beforeEach(() => void jest.useFakeTimers({ doNotFake: ['performance'] }));
afterEach(() => void jest.useRealTimers());

it('is never silent for two seconds, whatever takes long, and says what it is at', () => {
  const lines: string[] = [];
  const progress = createProgress((line) => lines.push(line));
  progress.report('Installing redis-tools with apt …');
  for (let seconds = 2; seconds <= 20; seconds += 2) {
    const before = lines.length;
    jest.advanceTimersByTime(2_000);
    expect(lines.length).toBeGreaterThan(before);
  }
  expect(lines.at(-1)).toMatch(/^ {2}Installing redis-tools with apt … \d+ s$/);
  progress.end();
});

it('is silent while others speak, and at its end', () => {
  const lines: string[] = [];
  const progress = createProgress((line) => lines.push(line));
  for (let step = 0; step < 10; step += 1) {
    progress.report(`step ${step}`);
    jest.advanceTimersByTime(1_000);
  }
  expect(lines).toHaveLength(10);
  progress.end();
  jest.advanceTimersByTime(60_000);
  expect(lines).toHaveLength(10);
});
