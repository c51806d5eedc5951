import { describe, expect, it } from '@jest/globals';
import { SeededRandom } from '../../../../test/contracts/seeded-random';
import { assertJsonValue, sliceJsonObject } from './json-slices';

const accepts = (bytes: Buffer): boolean => {
  try {
    assertJsonValue(bytes);
    return true;
  } catch (error) {
    if ((error as Error).name !== 'JsonScanError') throw error;
    return false;
  }
};

/** What the standard's other reader says, on bytes: strict UTF-8, no byte order mark. */
const nodeAccepts = (bytes: Buffer): boolean => {
  try {
    JSON.parse(new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes));
    return true;
  } catch {
    return false;
  }
};

const VALID = [
  '0', '-0', '1', '-1', '10', '123456789012345678901234567890', '0.5', '-0.5', '1.0', '1e5', '1E5', '1e+5', '1e-5', '0e0', '1.5E-300',
  '1e400', '9007199254740993', 'true', 'false', 'null', '""', '"a"', '"\\""', '"\\\\"', '"\\/"', '"\\b\\f\\n\\r\\t"', '"\\u0000"',
  '"\\uD83D\\uDE00"', '"\\ud800"', '"\\uabCD"', '"é世😀"', '"\u007f"', '"\u2028"', '[]', '[ ]', '[1]', '[1,2]', '[[],{}]', '{}', '{ }',
  '{"a":1}', '{"a":{"b":[]}}', '{"":0}', '{"a":1,"a":2}', ' \t\r\n1 \t\r\n', '[\n1\t,\r2 ]', '{ "a" : 1 , "b" : [ ] }', '"\\\\\\""',
]; // prettier-ignore

const INVALID = [
  '', ' ', '01', '-01', '00', '+1', '1.', '-1.', '.5', '-.5', '-', '--1', '1e', '1e+', '1E-', '1.e5', '1.5.5', '1e5.5', '0x10', '1_000',
  'NaN', '-NaN', 'Infinity', '-Infinity', 'True', 'TRUE', 'tru', 'truee', 'nul', 'nulll', 'undefined', 'fals', 'None',
  "'a'", '"a', '"', '"a\\', '"\\"', '"\\x41"', '"\\a"', '"\\\'"', '"\\u12"', '"\\u12G4"', '"\\U0041"', '"\\u 041"', '"\\u+041"', '"\\0"',
  '"\t"', '"\n"', '"\u0000"', '"\u001f"', '"a\rb"', '[', ']', '[1', '[1,', '[1,]', '[,1]', '[,]', '[1 2]', '[1,,2]', '[1}', '{', '}',
  '{"a"', '{"a":', '{"a":1', '{"a":1,', '{"a":1,}', '{,}', '{"a" 1}', '{"a":}', '{a:1}', "{'a':1}", '{1:1}', '{"a":1 "b":2}', '{"a":1]',
  '{"a"::1}', '{null:1}', '1 2', '1,', '{} {}', '[] x', 'null null', '"a" "b"', '1//c', '/*c*/1', '[1/*c*/]', '{"a":1}#', '\ufeff1', '1\ufeff',
  '\u00a01', '1\u2028', '\v1', '\f1', '1\u0000', '[1]\u0000', '\\u0031', 'a', '-a', '- 1', '1 .5',
]; // prettier-ignore

const NOT_UTF8 = {
  'a lone continuation byte': [0x22, 0x80, 0x22],
  'a lead byte without its end': [0x22, 0xc3, 0x22],
  'an overlong slash': [0x22, 0xc0, 0xaf, 0x22],
  'an overlong quote': [0xc0, 0xa2, 0x61, 0xc0, 0xa2],
  'an overlong NUL': [0x22, 0xe0, 0x80, 0x80, 0x22],
  'an encoded surrogate': [0x22, 0xed, 0xa0, 0x80, 0x22],
  'a code point above U+10FFFF': [0x22, 0xf4, 0x90, 0x80, 0x80, 0x22],
  'a byte that is never UTF-8': [0x22, 0xff, 0x22],
  'UTF-16': [0xff, 0xfe, 0x31, 0x00],
  'Latin-1 outside strings': [0x31, 0xe9],
};

describe('JSON values (RFC 8259)', () => {
  it.each(VALID)('%j is accepted', (text) => {
    expect(nodeAccepts(Buffer.from(text))).toBe(true);
    expect(accepts(Buffer.from(text))).toBe(true);
  });

  it.each(INVALID)('%j is refused, alone, in an array and as a member', (text) => {
    expect(nodeAccepts(Buffer.from(text))).toBe(false);
    expect(accepts(Buffer.from(text))).toBe(false);
    expect(accepts(Buffer.from(`[0,${text}`))).toBe(false);
    expect(() => sliceJsonObject(Buffer.from(`{"a":${text}`))).toThrow();
    expect(() => sliceJsonObject(Buffer.from(text))).toThrow();
  });

  it.each(Object.entries(NOT_UTF8))('%s is refused', (_, bytes) => {
    expect(accepts(Buffer.from(bytes))).toBe(false);
    const object = Buffer.concat([Buffer.from('{"a":'), Buffer.from(bytes), Buffer.from('}')]);
    expect(() => sliceJsonObject(object)).toThrow(expect.objectContaining({ code: 'syntax' }));
  });

  it('every truncation of a valid document is refused', () => {
    const document = Buffer.from('{"a":[1.5e-3,true,null,"\\u00e9é😀",{"b":{}}],"c":-0}');
    expect(accepts(document)).toBe(true);
    for (let end = 0; end < document.length; end += 1) expect([end, accepts(document.subarray(0, end))]).toEqual([end, false]);
  });

  it('every one-byte change is judged as JSON.parse judges it', () => {
    const document = Buffer.from('{"a":[1.5e-3,true,"\\u00e9é"], "b":{}}');
    let accepted = 0;
    for (let position = 0; position < document.length; position += 1) {
      for (let byte = 0; byte < 256; byte += 1) {
        const changed = Buffer.from(document);
        changed[position] = byte;
        const verdict = accepts(changed);
        if (verdict !== nodeAccepts(changed)) throw new Error(`byte ${byte} at ${position}: ${changed.toString('latin1')} → ${verdict}`);
        if (verdict) accepted += 1;
      }
    }
    expect(accepted).toBeGreaterThan(500);
  });

  it('random byte salads of JSON’s own characters are judged as JSON.parse judges them', () => {
    const random = new SeededRandom(1);
    const pieces = [
      '{',
      '}',
      '[',
      ']',
      ':',
      ',',
      '"',
      '\\',
      'u00',
      '0',
      '1',
      '-',
      '+',
      '.',
      'e',
      'E',
      'true',
      'null',
      ' ',
      '\n',
      'a',
      '"k"',
      'é',
    ];
    for (let round = 0; round < 20_000; round += 1) {
      const text = Array.from({ length: 1 + random.below(7) }, () => random.pick(pieces)).join('');
      if (accepts(Buffer.from(text)) !== nodeAccepts(Buffer.from(text))) throw new Error(`judged differently: ${JSON.stringify(text)}`);
    }
  });
});

describe('nesting', () => {
  const nested = (depth: number, inner: string): string => '['.repeat(depth) + inner + ']'.repeat(depth);
  const objects = (depth: number, inner: string): string => '{"a":'.repeat(depth) + inner + '}'.repeat(depth);

  it.each(['', '1', '"x"'])('200 arrays around %j are accepted and 201 are refused', (inner) => {
    expect(accepts(Buffer.from(nested(200, inner)))).toBe(true);
    expect(() => assertJsonValue(Buffer.from(nested(201, inner)))).toThrow(expect.objectContaining({ code: 'depth', position: 200 }));
  });

  it('200 objects are accepted and 201 are refused, the outermost counted', () => {
    expect([...sliceJsonObject(Buffer.from(objects(200, '1'))).keys()]).toEqual(['a']);
    expect(() => sliceJsonObject(Buffer.from(objects(201, '1')))).toThrow(expect.objectContaining({ code: 'depth' }));
    expect(() => sliceJsonObject(Buffer.from(objects(200, '{}')))).toThrow(expect.objectContaining({ code: 'depth' }));
    expect(() => sliceJsonObject(Buffer.from(objects(200, '[]')))).toThrow(expect.objectContaining({ code: 'depth' }));
  });

  it.each([
    ['[', 'arrays'],
    ['{"a":', 'objects'],
  ])('10 MB of %j are answered at once', (piece) => {
    const bomb = Buffer.from(piece.repeat(Math.ceil(10_000_000 / piece.length)));
    const startedAt = performance.now();
    expect(() => assertJsonValue(bomb)).toThrow(expect.objectContaining({ code: 'depth' }));
    expect(() => sliceJsonObject(Buffer.concat([Buffer.from('{"a":'), bomb]))).toThrow(expect.objectContaining({ code: 'depth' }));
    expect(performance.now() - startedAt).toBeLessThan(20_000);
  });
});

describe('slices of an object', () => {
  it('are the very bytes of the text', () => {
    const values = ['9007199254740993', '1.0', '1e400', '-0', '"\\u0061é"', '[ 1 ,2]', '{"x" : {"x":1, "x":2}}', 'null'];
    const text = `\n{ ${values.map((value, index) => `"k${index}" :\t${value} `).join(', ')} }\r\n`;
    const slices = sliceJsonObject(Buffer.from(text));
    expect([...slices.values()].map((slice) => slice.toString())).toEqual(values);
  });

  it('are views of the given buffer, not copies', () => {
    const bytes = Buffer.from('{"a":123}');
    expect(sliceJsonObject(bytes).get('a')?.buffer).toBe(bytes.buffer);
  });

  it.each(['1', '"a"', 'null', '[]', '[{}]', 'true', ''])('%j is no object', (text) => {
    expect(() => sliceJsonObject(Buffer.from(text))).toThrow(expect.objectContaining({ code: 'syntax' }));
  });

  it.each([
    ['{"a":1,"a":2}', 'plainly'],
    ['{"a":1,"\\u0061":2}', 'by an escape'],
    ['{"\\u0061":1,"b":0,"a":2}', 'by an escape, later'],
    ['{"\\/":1,"/":2}', 'by a short escape'],
    ['{"é":1,"\\u00e9":2}', 'beyond ASCII'],
    ['{"😀":1,"\\ud83d\\ude00":2}', 'by a surrogate pair'],
    ['{"":1,"":2}', 'empty'],
    ['{"__proto__":1,"__proto__":2}', 'with a special name'],
  ])('a name that stands twice is refused: %s (%s)', (text) => {
    expect(() => sliceJsonObject(Buffer.from(text))).toThrow(expect.objectContaining({ code: 'duplicate' }));
    expect([...sliceJsonObject(Buffer.from(text), 'last').values()].map(String)).toContain('2');
  });

  it('names that only look alike are different', () => {
    expect([...sliceJsonObject(Buffer.from('{"a":1,"A":2,"a ":3,"é":4,"e\u0301":5}')).keys()]).toHaveLength(5);
  });

  it('special names are ordinary members', () => {
    const slices = sliceJsonObject(Buffer.from('{"__proto__":{"x":1},"constructor":2,"toString":3}'));
    expect([...slices].map(([name, slice]) => [name, slice.toString()])).toEqual([
      ['__proto__', '{"x":1}'],
      ['constructor', '2'],
      ['toString', '3'],
    ]);
    expect(slices.get('hasOwnProperty')).toBeUndefined();
  });

  it('within values, a repeated name is Python’s to judge', () => {
    expect(sliceJsonObject(Buffer.from('{"a":{"b":1,"b":2}}')).get('a')?.toString()).toBe('{"b":1,"b":2}');
  });

  it('joined again give the value that JSON.parse gives, for random objects in random spacing', () => {
    const random = new SeededRandom(2);
    for (let round = 0; round < 500; round += 1) {
      const value = Object.fromEntries(Array.from({ length: random.below(6) }, () => [randomText(random), randomValue(random, 4)]));
      const text = respace(JSON.stringify(value), random);
      const slices = sliceJsonObject(Buffer.from(text));
      const joined = `{${[...slices].map(([name, slice]) => `${JSON.stringify(name)}:${slice.toString()}`).join(',')}}`;
      expect(JSON.parse(joined)).toEqual(JSON.parse(text));
      expect([...slices.keys()].sort()).toEqual(Object.keys(value).sort());
    }
  });
});

describe('the place in the message', () => {
  it.each([
    ['{"a":01}', 6],
    ['{"a":1} x', 8],
    ['{"a" 1}', 5],
    ['["é" 1]', 6],
  ])('of %j is byte %i', (text, position) => {
    const bytes = Buffer.from(text);
    expect(() => (text.startsWith('{') ? sliceJsonObject(bytes) : assertJsonValue(bytes))).toThrow(expect.objectContaining({ position }));
  });
});

function randomText(random: SeededRandom): string {
  return Array.from({ length: random.below(5) }, () =>
    random.pick(['a', 'b', '"', '\\', '\n', '\u0000', 'é', '世', '😀', ' ', '{', ',']),
  ).join('');
}

function randomValue(random: SeededRandom, depth: number): unknown {
  const kind = random.below(depth > 0 ? 8 : 6);
  if (kind === 0) return null;
  if (kind === 1) return random.next() < 0.5;
  if (kind <= 3) return (random.next() - 0.5) * 10 ** (random.below(40) - 20);
  if (kind <= 5) return randomText(random);
  if (kind === 6) return Array.from({ length: random.below(4) }, () => randomValue(random, depth - 1));
  return Object.fromEntries(Array.from({ length: random.below(4) }, () => [randomText(random), randomValue(random, depth - 1)]));
}

/** Puts white space where JSON allows it: around structural characters outside strings. */
function respace(text: string, random: SeededRandom): string {
  const space = (): string => Array.from({ length: random.below(3) }, () => random.pick([' ', '\n', '\t', '\r'])).join('');
  return text.replace(/"(?:[^"\\]|\\.)*"|[{}[\],:]/g, (token) => (token.startsWith('"') ? token : `${space()}${token}${space()}`));
}
