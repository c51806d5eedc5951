import { describe, expect, it } from '@jest/globals';
import { inTurns, TURN_BYTES, type Steps } from '../lifecycle/turns';
import { assertJsonValue, checkingJsonValue, slicingJsonObject } from './json-slices';

/** Where long runs are searched in windows, and where a pause falls: bytes at and around these are not passed over. */
const PLACES = [
  0,
  1,
  63,
  64,
  65,
  66,
  319,
  320,
  321,
  16_383,
  16_384,
  33_000,
  TURN_BYTES - 2,
  TURN_BYTES,
  TURN_BYTES + 1,
  2 * TURN_BYTES + 7,
];
const LENGTH = 2 * TURN_BYTES + 100;

const put = (text: string, at: number, piece: string): string => text.slice(0, at) + piece + text.slice(at + piece.length);
const positionOf = (text: string): number | undefined => {
  try {
    assertJsonValue(Buffer.from(text, 'latin1'));
    return undefined;
  } catch (error) {
    return (error as { position: number }).position;
  }
};

function countPauses(steps: Steps<unknown>): number {
  let count = 0;
  while (steps.next().done !== true) count += 1;
  return count;
}

describe('a long string', () => {
  const plain = 'x'.repeat(LENGTH);
  it.each(PLACES)('is seen to its end with something at %i', (at) => {
    expect(positionOf(`"${put(plain, at, '\\n')}"`)).toBeUndefined();
    expect(positionOf(`"${put(plain, at, '\\u00e9')}"`)).toBeUndefined();
    expect(positionOf(`"${put(plain, at, '\n')}"`)).toBe(at + 1);
    expect(positionOf(`"${put(plain, at, '\\u00g9')}"`)).toBe(at + 2);
    expect(positionOf(`"${put(plain, at, '"')}"`)).toBe(at + 2);
  });

  it('that has no end is refused at the end', () => {
    expect(positionOf(`"${plain}`)).toBe(LENGTH + 1);
    expect(positionOf(`["${plain}", 1`)).toBe(LENGTH + 6);
  });

  it('may be a name', () => {
    expect(positionOf(`{"${plain}": 1}`)).toBeUndefined();
    expect(positionOf(`{"${plain}": 1, "a"}`)).toBe(LENGTH + 11);
    expect(positionOf(`{"${plain}" 1}`)).toBe(LENGTH + 4);
  });
});

it.each(PLACES)('long runs of digits and of space end where they end, at %i', (at) => {
  expect(positionOf(put('1'.repeat(LENGTH), at, '.'))).toBe(at === 0 ? 0 : undefined);
  expect(positionOf(put('1'.repeat(LENGTH), at + 1, 'x'))).toBe(at + 1);
  expect(positionOf(put(`${' '.repeat(LENGTH)}1`, at, 'x'))).toBe(at);
  expect(positionOf(put(`${'\n'.repeat(LENGTH)}1`, at, '1'))).toBe(at === LENGTH ? undefined : LENGTH);
  expect(positionOf(`[1,${' '.repeat(at)}2${'\t'.repeat(at)}]`)).toBeUndefined();
});

describe('large content', () => {
  const numbers = Buffer.from(JSON.stringify(Array.from({ length: 400_000 }, (_, index) => index)));
  const text = Buffer.from(JSON.stringify('é"\n'.repeat(400_000)));

  it.each([['numbers', numbers], ['text', text]])('of %s is checked with pauses, small content without', async (_, bytes) => {
    const expected = Math.floor(bytes.length / TURN_BYTES);
    const pauses = countPauses(checkingJsonValue(bytes));
    expect([pauses >= expected - 1, pauses <= expected + 1]).toEqual([true, true]);
    expect(countPauses(checkingJsonValue(bytes.subarray(0, 1).equals(Buffer.from('[')) ? Buffer.from('[1,2]') : Buffer.from('"x"')))).toBe(0);
    await expect(inTurns(checkingJsonValue(bytes))).resolves.toBeUndefined();
  }); // prettier-ignore

  it('in an object is sliced with pauses, to the same slices', async () => {
    const body = Buffer.concat([Buffer.from('{"a":'), numbers, Buffer.from(',"b":'), text, Buffer.from('}')]);
    const members = await inTurns(slicingJsonObject(body));
    expect([members.get('a')?.equals(numbers), members.get('b')?.equals(text)]).toEqual([true, true]);
    expect(countPauses(slicingJsonObject(body))).toBeGreaterThan(5);
  });

  it('lets others have their turn in between', async () => {
    let turns = 0;
    const timer = setInterval(() => (turns += 1), 0);
    await inTurns(checkingJsonValue(numbers));
    clearInterval(timer);
    expect(turns).toBeGreaterThan(3);
  });
});
