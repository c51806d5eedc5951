import { describe, expect, it } from '@jest/globals';
import { toAttributeText } from './attribute-text';
import { createDiagnosticLogger } from './diagnostic-logger';
import { FailureAllowance } from './failure-allowance';
import { recordSpan, SPAN_KINDS, type RecordedSpan } from './recorded-span';
import { createSampler, SAMPLERS } from '../trace-context/sampler';
import { createTraceId } from '../trace-context/trace-context';
import { Tracing } from './tracing';

describe('sampling', () => {
  const ids = Array.from({ length: 4_000 }, createTraceId);
  const share = (isSampled: (traceId: string) => boolean): number => ids.filter((id) => isSampled(id)).length / ids.length;

  it('by ratio takes about that share, and each process the same traces', () => {
    const [one, other] = [createSampler('traceidratio', 0.25), createSampler('traceidratio', 0.25)];
    expect(share((id) => one(id, undefined))).toBeGreaterThan(0.18);
    expect(share((id) => one(id, undefined))).toBeLessThan(0.32);
    expect(ids.every((id) => one(id, undefined) === other(id, undefined))).toBe(true);
    expect(share((id) => createSampler('traceidratio', 0)(id, undefined))).toBe(0);
    expect(share((id) => createSampler('traceidratio', 1)(id, undefined))).toBe(1);
  });

  it.each(SAMPLERS)('%s asks the caller where its name says so', (name) => {
    const isSampled = createSampler(name, 0.5);
    const asks = name.startsWith('parentbased_');
    expect(share((id) => isSampled(id, { isSampled: true })) === 1).toBe(asks || name === 'always_on');
    expect(share((id) => isSampled(id, { isSampled: false })) === 0).toBe(asks || name === 'always_off');
  });
});

it('the allowance for failures is per second, and none is saved up', () => {
  const allowance = new FailureAllowance(2);
  expect([0, 1, 2, 999].map((now) => allowance.take(now))).toEqual([true, true, false, false]);
  expect([1_000, 1_001, 1_002].map((now) => allowance.take(now))).toEqual([true, true, false]);
  expect([10_000, 10_001, 10_002].map((now) => allowance.take(now))).toEqual([true, true, false]);
  expect(new FailureAllowance(0).take(0)).toBe(false);
});

it('a trace that is exported although it was not sampled says so in every span', () => {
  const exported: RecordedSpan[] = [];
  const config = { tracesSampler: 'always_off', tracesSamplerRatio: 1, traceFailedPerSecond: 1 } as const;
  const tracing = new Tracing({ export: (_traceId, spans) => void exported.push(...spans) }, config);
  const spans = [recordSpan('a', SPAN_KINDS.server, undefined, 1), recordSpan('b', SPAN_KINDS.internal, undefined, 2)];
  expect(tracing.isSampled(createTraceId(), undefined)).toBe(false);
  expect([tracing.admitFailure(), tracing.admitFailure()]).toEqual([true, false]);
  tracing.exportUnsampled(createTraceId(), spans);
  expect(exported.map(({ attributes }) => attributes)).toEqual([{ 'python3.trace.unsampled': true }, { 'python3.trace.unsampled': true }]);
});

it('text of others is cut, and holds no half of a character', () => {
  expect(toAttributeText('x'.repeat(10), 4)).toBe('xxxx');
  expect(toAttributeText('ab😀', 3)).toBe('ab\uFFFD');
  expect(toAttributeText('\ud800a\udc00', 9)).toBe('\uFFFDa\uFFFD');
  expect(toAttributeText('😀', 9)).toBe('😀');
});

it('the SDK has a line a minute in the log, with the reason and how many were left out', () => {
  const lines: object[] = [];
  let now = 0;
  const logger = createDiagnosticLogger({ warn: (fields: object) => void lines.push(fields) } as never, () => now);
  logger.error('{"stack":"Error: x\\n at y","message":"connect ECONNREFUSED","code":"ECONNREFUSED"}');
  logger.warn('again');
  logger.info('nothing');
  now = 60_000;
  logger.error('later', new Error('why'));
  expect(lines).toEqual([
    { event: 'telemetry', error: 'connect ECONNREFUSED', unsaid: 0 },
    { event: 'telemetry', error: 'later why', unsaid: 1 },
  ]);
});
