import { describe, expect, it } from '@jest/globals';
import { formatLogLine } from './format-log-line';

const line = (fields: object): string =>
  `${JSON.stringify({ level: 'warn', time: '2026-01-05T09:25:00.250Z', service: 'api', pid: 7, ...fields })}\n`;

describe('a log line for a person', () => {
  it('has time, level, who, what, and the rest by name', () => {
    const text = formatLogLine(line({ msg: 'request', path: '/a b', status: 404, requestId: 'x', ms: 1.5, jobId: null }), false);
    expect(text).toMatch(/^\d\d:\d\d:00\.250 WARN {2}api {4}request path="\/a b" status=404 Not Found requestId=x ms=1\.5\n$/);
  });

  it('has colours only where they are wanted, and says the same with them', () => {
    const plain = formatLogLine(line({ msg: 'request', path: '/' }), false);
    const coloured = formatLogLine(line({ msg: 'request', path: '/' }), true);
    expect(coloured).toContain('\u001b[33mWARN \u001b[0m');
    // eslint-disable-next-line no-control-regex -- they are what it is about
    expect(coloured.replace(/\u001b\[[0-9;]*m/g, '')).toBe(plain);
  });

  it('has the stack of an error below it, indented', () => {
    const text = formatLogLine(line({ msg: 'unexpected', err: { type: 'Error', stack: 'Error: x\n    at y' } }), false);
    expect(text.split('\n').slice(1)).toEqual(['    Error: x', '        at y', '']);
  });

  it('lets nothing that callers choose break the line, move the cursor or turn the direction of writing', () => {
    const evil = '\u001b[2J\u009b5n\u202e\u2028\n\r\u0007';
    for (const fields of [{ msg: evil }, { msg: 'x', path: evil }, { msg: 'x', [evil]: [evil] }, { msg: 'x', err: { stack: evil } }]) {
      const text = formatLogLine(line(fields), false);
      expect(text.endsWith('\n')).toBe(true);
      // eslint-disable-next-line no-control-regex -- they are what must not be there
      expect(text.replaceAll('\n', '')).not.toMatch(/[\u0000-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e]/);
      for (const below of text.split('\n').slice(1, -1)) expect(below.startsWith('    ')).toBe(true);
    }
  });

  it('what is no line of ours stays as it is', () => {
    for (const text of ['no JSON\n', '[1]\n', 'null\n', '"x"\n']) expect(formatLogLine(text, true)).toBe(text);
  });
});
