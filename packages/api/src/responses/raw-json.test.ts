import { describe, expect, it } from '@jest/globals';
import { RawJson, toJsonBuffer } from './raw-json';

const raw = (text: string): RawJson => new RawJson(Buffer.from(text));

describe('JSON with raw parts', () => {
  it.each(['9007199254740993', '1.0', '-0.0', '1e400', '"\\ud800"', '"\\u00e9é"', '{ "a" : [1.50, {"a":1,"a":2}] }', 'null'])(
    'keeps %s byte for byte',
    (text) => {
      expect(toJsonBuffer({ before: 1, value: raw(text), after: [raw(text)] }).toString()).toBe(
        `{"before":1,"value":${text},"after":[${text}]}`,
      );
    },
  );

  it('leaves out members that are undefined, and keeps those that are null', () => {
    expect(toJsonBuffer({ a: undefined, b: null, c: {}, d: [], e: [undefined as never, 1].slice(1) }).toString()).toBe(
      '{"b":null,"c":{},"d":[],"e":[1]}',
    );
  });

  it('writes everything else as JSON.stringify does', () => {
    const value = { 'a"b': 'x\n\u2028\ud800é', n: [1, 2.5, true, false, null, { deep: [{}] }] };
    expect(toJsonBuffer(value).toString()).toBe(JSON.stringify(value));
  });
});
