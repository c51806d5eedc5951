import { describe, expect, it } from '@jest/globals';
import { UseCounter } from './use-counter';

describe('uses', () => {
  it('count within a minute, and for a bounded number of keys', () => {
    const counter = new UseCounter();
    expect([0, 1, 70_000, 70_001, 70_002].map((at) => counter.count('k', at))).toEqual([false, false, false, false, true]);
    for (let key = 0; key < 1_000; key += 1) counter.count(`other ${key}`, 70_003);
    expect(counter.count('k', 70_004)).toBe(false);
  });
});
