import { expect, it } from '@jest/globals';
import { traceIdOf } from '@python3-cluster/shared';
import { readTraceparent } from './traceparent';

const TRACE = '0af7651916cd43dd8448eb211c80319c';
const PARENT = 'b7ad6b7169203331';

it.each([
  [`00-${TRACE}-${PARENT}-01`, `00-${TRACE}-${PARENT}-01`],
  [`cc-${TRACE}-${PARENT}-01-what-comes`, `00-${TRACE}-${PARENT}-01`],
])('%s is taken', (header, taken) => {
  expect(readTraceparent(header)).toBe(taken);
  expect(traceIdOf(taken)).toBe(TRACE);
});

it.each([
  undefined,
  '',
  `00-${TRACE}-${PARENT}`,
  `00-${TRACE}-${PARENT}-01-more`,
  `ff-${TRACE}-${PARENT}-01`,
  `00-${'0'.repeat(32)}-${PARENT}-01`,
  `00-${TRACE}-${'0'.repeat(16)}-01`,
  `00-${TRACE.toUpperCase()}-${PARENT}-01`,
  `00-${TRACE}-${PARENT}-01\n`.repeat(2),
])('%s is ignored', (header) => {
  expect(readTraceparent(header)).toBeNull();
});
