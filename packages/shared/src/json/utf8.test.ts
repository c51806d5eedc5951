import { expect, it } from '@jest/globals';
import { characterBoundary } from './utf8';

it('a cut goes before the character it would cut in two', () => {
  const text = Buffer.from('aé世😀b');
  expect(Array.from({ length: 14 }, (_, end) => characterBoundary(text, end))).toEqual([0, 1, 1, 3, 3, 3, 6, 6, 6, 6, 10, 11, 11, 11]);
});
