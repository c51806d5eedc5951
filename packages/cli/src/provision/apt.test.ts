import { describe, expect, it } from '@jest/globals';
import { createAptProgress, parsePolicy } from './apt';
import { runCommand } from './run-command';

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

describe('apt’s progress', () => {
  it('is told once a second, in its own words, and what is none is not told', () => {
    const lines: string[] = [];
    let now = 0;
    const hear = createAptProgress((line) => lines.push(line), () => now);
    const said = ['dlstatus:1:12.5:Retrieving file 1 of 8', 'pmstatus:x:1:lost in the same second', 'media-change: x', 'pmstatus:python3:45.9:Unpacking python3 (amd64): more'];
    for (const line of said) {
      hear(line);
      now += line.startsWith('dl') ? 500 : 1_000;
    }
    expect(lines).toEqual(['  apt: 12 %, Retrieving file 1 of 8', '  apt: 45 %, Unpacking python3 (amd64): more']);
  }); // prettier-ignore

  it('comes by descriptor 3, beside what the program prints', async () => {
    const lines: string[] = [];
    const printed = await runCommand('/bin/sh', ['-c', 'echo out; echo one >&3; echo two >&3'], {
      timeoutMs: 10_000,
      onStatus: (line) => lines.push(line),
    });
    expect([printed, lines]).toEqual(['out\n', ['one', 'two']]);
  });
});
