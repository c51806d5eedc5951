import { describe, expect, it } from '@jest/globals';
import { parseProcessStat, readProcessStat } from './process-start-time';

describe('/proc/<pid>/stat', () => {
  it('is read past a name with blanks and parentheses', () => {
    const line = '42 (a ) b (c)) S 7 42 42 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 11 0 987654 1000 200';
    expect(parseProcessStat(line)).toEqual({ name: 'a ) b (c)', state: 'S', parentPid: 7, startTime: '987654' });
  });

  it('gives nothing for a process that is not there', () => {
    expect(readProcessStat(2 ** 22 + 1)).toBeUndefined();
    expect(parseProcessStat('')).toBeUndefined();
  });
});
