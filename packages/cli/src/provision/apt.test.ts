import { describe, expect, it } from '@jest/globals';
import { parsePolicy } from './apt';

describe('parsePolicy', () => {
  it('gives the candidate of every package that has one', () => {
    const output = [
      'redis-tools:',
      '  Installed: (none)',
      '  Candidate: 5:7.0.15-1~deb12u10',
      '  Version table:',
      '     5:7.0.15-1~deb12u10 500',
      'valkey-tools:',
      '  Installed: (none)',
      '  Candidate: (none)',
      '  Version table:',
      '',
    ].join('\n');
    expect(parsePolicy(output)).toEqual({ 'redis-tools': '7.0.15' });
  });

  it('gives nothing where no package is known', () => {
    expect(parsePolicy('')).toEqual({});
  });
});
