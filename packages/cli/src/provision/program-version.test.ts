import { describe, expect, it } from '@jest/globals';
import { isAtLeast, parseDebianVersion, parseServerVersion } from './program-version';

describe('program versions', () => {
  it('are read from what Redis and Valkey print', () => {
    expect(parseServerVersion('Redis server v=7.0.15 sha=00000000:0 malloc=jemalloc-5.3.0 bits=64 build=1')).toBe('7.0.15');
    expect(parseServerVersion('Valkey server v=8.0.1 sha=00000000:0 malloc=libc bits=64 build=1')).toBe('8.0.1');
    expect(parseServerVersion('redis-cli 7.0.15')).toBeUndefined();
  });

  it('are read from Debian package versions, without epoch and revision', () => {
    expect(parseDebianVersion('5:7.0.15-1~deb12u10')).toBe('7.0.15');
    expect(parseDebianVersion('3.11.2-1+b1')).toBe('3.11.2');
    expect(parseDebianVersion('(none)')).toBeUndefined();
  });

  it.each([
    ['6.2.0', '6.2', true],
    ['6.10', '6.2', true],
    ['6.0.16', '6.2', false],
    ['3.9.18', '3.11.0', false],
    ['10', '9.9.9', true],
  ])('%s is at least %s: %s', (version, floor, expected) => {
    expect(isAtLeast(version, floor)).toBe(expected);
  });
});
