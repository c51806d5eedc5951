import { describe, expect, it } from '@jest/globals';
import { parsePythonProbe, whyUnfit } from './probe-python';

const answer = (version: string, missing = ''): string =>
  `version=${version}\nexecutable=/usr/bin/python3\nlibrary=/usr/lib/python3.11\nmissing=${missing}\n`;

describe('the Python probe', () => {
  it('reads what the interpreter says of itself', () => {
    expect(parsePythonProbe(answer('3.11.2', 'ssl,tzdata'), '/x/python3')).toEqual({
      version: '3.11.2',
      executable: '/usr/bin/python3',
      libraryDirectory: '/usr/lib/python3.11',
      missingModules: ['ssl', 'tzdata'],
    });
  });

  it('rejects a program that is no interpreter', () => {
    expect(() => parsePythonProbe('hello', '/bin/echo')).toThrow('does not answer as a Python interpreter');
  });

  it.each([
    ['3.13.0', '', undefined],
    ['3.11.2', 'ssl,tzdata', undefined],
    ['3.10.12', '', 'it is Python 3.10.12, and 3.11 or newer is needed.'],
    ['3.11.2', 'json,ctypes', 'its standard library lacks json, ctypes.'],
  ])('Python %s lacking "%s" is unfit because: %s', (version, missing, reason) => {
    expect(whyUnfit(parsePythonProbe(answer(version, missing), '/x'))).toBe(reason);
  });
});
