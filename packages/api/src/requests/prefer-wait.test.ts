import { expect, it } from '@jest/globals';
import { readPreferredWait } from './prefer-wait';

it.each<[string | undefined, number | undefined]>([
  [undefined, undefined],
  ['respond-async', undefined],
  ['wait=10', 10],
  ['respond-async, wait=10', 10],
  ['Wait = "5"; foo=bar', 5],
  ['wait=3600', 3_600],
  ['wait=1, wait=2', 1],
])('Prefer: %s means a wait of %s seconds', (header, seconds) => {
  expect(readPreferredWait(header)).toBe(seconds);
});

it.each(['wait', 'wait=', 'wait=0', 'wait=-1', 'wait=1.5', 'wait=3601', 'wait=1e3', 'wait=ten', 'wait=99999999999'])(
  'Prefer: %s is refused',
  (header) => {
    expect(() => readPreferredWait(header)).toThrow(expect.objectContaining({ code: 'REQUEST_INVALID' }));
  },
);
