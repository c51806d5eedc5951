import { describe, expect, it } from '@jest/globals';
import { createJobId, laneOfJobId } from './job-id';

describe('job ids', () => {
  it.each(['default', 'a', '0', 'line-7', 'vision2', 'a'.repeat(32)])('carry their lane: %s', (lane) => {
    const id = createJobId(lane);
    expect(laneOfJobId(id)).toBe(lane);
    expect(id).not.toContain(':');
  });

  it('are unique, a hundred thousand in one millisecond', () => {
    const ids = new Set<string>();
    for (let count = 0; count < 100_000; count += 1) ids.add(createJobId('a', 1_700_000_000_000));
    expect(ids.size).toBe(100_000);
  });

  it('sort by their time', () => {
    const times = [0, 1, 31, 32, 1_023, 1_700_000_000_000, 1_700_000_000_001, 1_700_000_001_000, 2_000_000_000_000, 2 ** 48 - 1];
    for (let round = 0; round < 200; round += 1) {
      const ids = times.map((time) => createJobId('a', time));
      expect([...ids].sort()).toEqual(ids);
    }
  });

  it('say nothing about each other: of two made at once, half of the random bits differ', () => {
    const ids = Array.from({ length: 400 }, () => createJobId('a', 1_700_000_000_000).slice(-16));
    for (let at = 0; at < 16; at += 1) expect(new Set(ids.map((id) => id.charAt(at))).size).toBeGreaterThan(24);
  });

  const good = createJobId('default').slice('default.'.length);
  it.each([
    '', '.', 'default', 'default.', `.${good}`, good, `default.${good}0`, `default.${good.slice(1)}`, `Default.${good}`, `default.${good.toUpperCase()}A`,
    `default.${'i'.repeat(26)}`, `default.${'l'.repeat(26)}`, `default.${'o'.repeat(26)}`, `default.${'u'.repeat(26)}`, `default..${good}`,
    `a.b.${good}`, `-a.${good}`, `a-.${good}`, `${'a'.repeat(33)}.${good}`, `a_b.${good}`, `a:b.${good}`, `a}.${good}`, ` default.${good}`,
    `default.${good} `, `default.${good}\n`, `default\n.${good}`, `x\ndefault.${good}`, `é.${good}`, '__proto__', `default.${good.slice(0, 25)}é`,
  ])('%j is none', (id) => {
    expect(laneOfJobId(id)).toBeUndefined();
  }); // prettier-ignore
});
