import { expect, it } from '@jest/globals';
import { listNames, suggestName } from './words';

it.each([
  [[], ''], [['a'], "'a'"], [['a', 'b'], "'a' or 'b'"], [['a', 'b', 'c'], "'a', 'b' or 'c'"],
])('%j is listed as %s', (names, words) => expect(listNames(names, 'or')).toBe(words)); // prettier-ignore

const KNOWN = ['code', 'timeoutMs', 'memoryMb', 'retryOn', 'priority', 'kind'];
it.each([
  ['timeoutms', 'timeoutMs'], ['timeout_ms', 'timeoutMs'], ['timeoutM', 'timeoutMs'], ['timeout', 'timeoutMs'], ['tiemoutMs', 'timeoutMs'],
  ['Code', 'code'], ['cod', 'code'], ['coed', 'code'], ['retry-on', 'retryOn'], ['prioritty', 'priority'],
])('%s may mean %s', (name, meant) => expect(suggestName(name, KNOWN)).toBe(` Did you mean '${meant}'?`)); // prettier-ignore

it.each(['', 'x', 'ki', 'nonsense', 'a'.repeat(100_000)])('%.20s means nothing that is known', (name) => {
  expect(suggestName(name, KNOWN)).toBe('');
});
