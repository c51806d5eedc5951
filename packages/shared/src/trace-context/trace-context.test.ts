import { expect, it } from '@jest/globals';
import { createSpanId, createTraceId, formatTraceparent, parseTraceparent, traceIdOf } from './trace-context';

const TRACE = '0af7651916cd43dd8448eb211c80319c';
const SPAN = 'b7ad6b7169203331';

it.each([
  ['01', true],
  ['00', false],
  ['03', true],
  ['fe', false],
])('flags %s: sampled %s', (flags, isSampled) => {
  expect(parseTraceparent(`00-${TRACE}-${SPAN}-${flags}`)).toEqual({ traceId: TRACE, spanId: SPAN, isSampled });
});

it.each([
  undefined,
  null,
  '',
  `01-${TRACE}-${SPAN}-01`,
  `00-${'0'.repeat(32)}-${SPAN}-01`,
  `00-${TRACE}-${'0'.repeat(16)}-01`,
  `00-${TRACE}-${SPAN}`,
])('%s is none', (text) => {
  expect(parseTraceparent(text)).toBeUndefined();
});

it('what is written is read back', () => {
  const context = { traceId: createTraceId(), spanId: createSpanId(), isSampled: true };
  expect(parseTraceparent(formatTraceparent(context))).toEqual(context);
  expect(traceIdOf(formatTraceparent(context))).toBe(context.traceId);
});

it('no id is given out twice', () => {
  const ids = Array.from({ length: 5_000 }, () => [createTraceId(), createSpanId()]).flat();
  expect(new Set(ids).size).toBe(ids.length);
  for (const id of ids) expect(id).toMatch(/^([0-9a-f]{32}|[0-9a-f]{16})$/);
});
