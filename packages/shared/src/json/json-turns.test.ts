import { describe, expect, it } from '@jest/globals';
import { SeededRandom } from '../../../../test/contracts/seeded-random';
import { atOnce, TURN_BYTES, type Steps } from '../lifecycle/turns';
import { JsonScanner, MAX_RUN_BYTES } from './json-scanner';
import { sliceJsonObject, slicingJsonObject, TURN_NAMES } from './json-slices';
import { measuringJsonText } from './json-text';

const times = (count: number, piece: (index: number) => string): string =>
  Array.from({ length: count }, (_, index) => piece(index)).join('');
const space = ' '.repeat(MAX_RUN_BYTES - 1);

/** A turn's bytes, and the longest runs that one value and what follows it may have. */
const MOST_BYTES = TURN_BYTES + 4 * MAX_RUN_BYTES;

function countPauses(steps: Steps<unknown>): number {
  let count = 0;
  while (steps.next().done !== true) count += 1;
  return count;
}

describe('between two pauses', () => {
  it.each<[string, string]>([
    ['short values', `[${times(300_000, (index) => `${index},`)}1]`],
    ['names', `{${times(150_000, (index) => `"${index}":1,`)}"a":1}`],
    ['short strings', `[${times(300_000, () => '"a",')}1]`],
    ['empty containers', `[${times(300_000, () => '{},')}1]`],
    ['a long string', `"${'x'.repeat(2_000_000)}"`],
    ['escapes', `"${'\\n'.repeat(1_000_000)}"`],
    ['space in front of many ends', `${'['.repeat(12)}1${times(12, () => `${space}]`)}`],
    ['space around many values', `[${times(6, () => `${space}1${space},`)}1]`],
  ])('no more than a turn’s bytes are passed (%s)', (_words, text) => {
    const scanner = new JsonScanner(Buffer.from(text));
    const steps = scanner.value(0);
    let most = 0;
    for (let before = 0, isOver = false; !isOver; before = scanner.position) {
      isOver = steps.next().done === true;
      most = Math.max(most, scanner.position - before);
    }
    expect(scanner.position).toBe(text.length);
    expect([most <= MOST_BYTES, most]).toEqual([true, most]);
  });

  it('no more than a turn’s names are read, however short they are', () => {
    const names = 5 * TURN_NAMES;
    expect(countPauses(slicingJsonObject(Buffer.from(`{${times(names, (index) => `"${index}":1,`)}"a":1}`)))).toBeGreaterThanOrEqual(5);
  });

  it('no more than a turn’s text is measured', () => {
    expect(countPauses(measuringJsonText(Buffer.from(`"${'x'.repeat(4 * TURN_BYTES)}"`)))).toBe(3);
  });
});

describe('bounds', () => {
  const bounds = { mostNames: 3, mostNameBytes: 4 };
  const slice = (text: string): unknown => sliceJsonObject(Buffer.from(text), 'last', bounds);

  it.each(['{"a":1,"b":2,"c":3,"d":4}', '{"a":1,"a":1,"a":1,"a":1}', '{"abcde":1}', '{"\\u0041":1}'])('on names refuse %s', (text) => {
    expect(() => slice(text)).toThrow(expect.objectContaining({ code: 'names' }));
  });

  it('let pass what is within them, and stop at the first name that is not', () => {
    expect(slice('{"abcd":1,"b":{"x":1,"y":1,"z":1,"too long":1},"c":3}')).toHaveProperty('size', 3);
    expect(() => slice(`{"a":1,"b":2,"c":3,"d":${'x'.repeat(1_000)}`)).toThrow(expect.objectContaining({ position: 19 }));
  });

  it.each([' ', '1'])('on runs refuse too long a one of %j', (character) => {
    expect(() => sliceJsonObject(Buffer.from(`{"a":[1${character.repeat(MAX_RUN_BYTES + 100)}]}`))).toThrow(/more than 1048576 bytes/);
  });
});

it('text is measured as Node would read it, wherever a turn ends', () => {
  const random = new SeededRandom(7);
  const pieces = ['a', ' ', '\\n', '\\"', '\\\\', '\\u0041', '\\u00e9', '\\u4e16', '\\ud83d\\ude00', '\\ud83d', '\\ude00', 'é', '世', '😀', '\\uABCD', '\\uabcd'];
  for (let round = 0; round < 40; round += 1) {
    const around = times(30, () => random.pick(pieces));
    const slice = Buffer.from(`"${'x'.repeat(TURN_BYTES - 40 + random.below(40))}${around}"`);
    const text = JSON.parse(slice.toString('utf8')) as string;
    expect(atOnce(measuringJsonText(slice))).toEqual({ bytes: Buffer.byteLength(text), isBlank: false });
  }
  for (const blank of ['', ' ', '\\n\\t', '\\u00a0', '\u2028'.repeat(200_000), ' '.repeat(2 * TURN_BYTES)])
    expect(atOnce(measuringJsonText(Buffer.from(`"${blank}"`))).isBlank).toBe(true);
  expect(atOnce(measuringJsonText(Buffer.from(`"${' '.repeat(2 * TURN_BYTES)}x"`))).isBlank).toBe(false);
}); // prettier-ignore
