import { describe, expect, it } from '@jest/globals';
import { firstLineOf } from './first-line';

const lineOf = (code: string): string => firstLineOf(Buffer.from(JSON.stringify(code)));

describe('the first line of code', () => {
  it.each<[string, string, string]>([
    ['the first that says something', '\n  \n# a comment\n  import math\nresult = 1', 'import math'],
    ['nothing, where there are comments only', '# a\n# b', ''],
    ['with other line ends', '\r\n\rresult = 1\rx', 'result = 1'],
    ['without what a terminal or a page could be fooled by', 'a\u001b[31m\u202eb\u2028c = "é\u{1F600}"', 'a [31m b c = "é\u{1F600}"'],
    ['cut after 120 characters', `x = "${'é'.repeat(200)}"`, `x = "${'é'.repeat(115)}…`],
  ])('%s', (_title, code, line) => expect(lineOf(code)).toBe(line));

  it('is read from the beginning of code of any length, wherever that is cut', () => {
    // Escapes and characters of several bytes around the place where it is cut.
    for (const filler of ['x', '\\', '"', 'é', '\u{1F600}', '\u0001'])
      for (let pad = 0; pad < 8; pad += 1) expect(lineOf(`result = 1\n${'-'.repeat(pad)}${filler.repeat(5_000)}`)).toBe('result = 1');
  });

  it('escapes that the caller wrote are read as they mean', () => {
    expect(firstLineOf(Buffer.from('"\\u0072esult = \\"a\\"\\nx"'))).toBe('result = "a"');
    expect(firstLineOf(Buffer.from('"\\ud83d"'))).not.toBe(undefined);
    expect(firstLineOf(Buffer.from('"\\q"'))).toBe('');
  });
});
