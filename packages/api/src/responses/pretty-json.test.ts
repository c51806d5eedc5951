import { describe, expect, it } from '@jest/globals';
import { asksForPretty, MOST_PRETTY_BYTES, toPretty } from './pretty-json';

const pretty = (text: string): string => toPretty(Buffer.from(text)).toString();

describe('indented JSON', () => {
  it.each([
    {}, [], 'text', 1, null, [[]], [{}], { a: {} }, { a: [], b: [1] },
    { 'a":{[,': 'x\\"]},:', b: [1, [2, { c: null }], 'é\ud83d\ude00'], d: { e: { f: true } } },
  ])('is what JSON.stringify makes of %j', (value) => {
    expect(pretty(JSON.stringify(value))).toBe(JSON.stringify(value, null, 2));
    expect(pretty(JSON.stringify(value, null, 1))).toBe(JSON.stringify(value, null, 2));
  }); // prettier-ignore

  it.each(['9007199254740993', '1.0', '-0.0', '1e400', '"\\ud800"', '"\\u00e9é"'])('leaves %s as it was written', (text) => {
    expect(pretty(`{"a":[${text}]}`)).toBe(`{\n  "a": [\n    ${text}\n  ]\n}`);
  });

  it('of many brackets grows with their number, not with its square', () => {
    const deep = `${'['.repeat(5_000)}1${']'.repeat(5_000)}`;
    expect(pretty(deep).replaceAll(/\s/g, '')).toBe(deep);
    expect(pretty(deep).length).toBeLessThan(40 * deep.length);
  });

  it('beyond the bound stays as it is', () => {
    const long = `[${'1,'.repeat(MOST_PRETTY_BYTES / 2)}1]`;
    expect(pretty(long)).toBe(long);
  });
});

it.each([
  ['/x', false], ['/x?', false], ['/x?pretty', true], ['/x?pretty=true', true], ['/x?pretty=1', true], ['/x?pretty=false', false],
  ['/x?limit=2&pretty', true], ['/x?prettyx', false],
])('%s: %p', (url, expected) => expect(asksForPretty(url)).toBe(expected)); // prettier-ignore
