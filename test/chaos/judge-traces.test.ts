import { expect, it } from '@jest/globals';
import type { ReceivedSpan } from '../support/otlp-receiver';
import { isSampledAt, judgeTraces, type ExpectedTrace } from './judge-traces';

const span = (spanId: string, parentSpanId: string, name: string, attempt?: number): ReceivedSpan => ({
  traceId: 't', spanId, parentSpanId, name, kind: 'internal', startMs: 0, endMs: 0, links: [], isError: false, statusMessage: '', resource: {},
  attributes: attempt === undefined ? {} : { 'python3.attempt.number': attempt },
}); // prettier-ignore
const request = [span('1', '', 'POST /api/v1/jobs'), span('2', '1', 'send default')];
const attempt = [span('3', '2', 'wait in queue'), span('4', '2', 'process default', 1), span('5', '4', 'run')];
const expected: ExpectedTrace = { traceId: 't', jobId: 'job', attempts: [1], mayLackRequest: false, mayLackAttempt: false };
const judge = (spans: readonly ReceivedSpan[], trace: Partial<ExpectedTrace> = {}) => judgeTraces(spans, [{ ...expected, ...trace }]);

it('a whole tree is whole, wherever its end was settled', () => {
  expect(judge([...attempt, ...request])).toMatchObject({ expected: 1, whole: 1, problems: [] });
  expect(judge([...request, span('9', '2', 'settle default')], { attempts: [] })).toMatchObject({ whole: 1, problems: [] });
});

it.each([
  ['nothing', []],
  ['a second root', [...request, ...attempt, span('9', '', 'GET /')]],
  ['a parent that is not there', [...request, ...attempt, span('9', '8', 'execute')]],
  ['a span sent twice', [...request, ...attempt, ...attempt.slice(0, 1)]],
  ['no request', attempt],
  ['no attempt', request],
  ['another attempt than the record has', [...request, span('4', '2', 'process default', 2)]],
])('%s is a problem', (_words, spans) => {
  expect(judge(spans)).toMatchObject({ whole: 0, problems: [expect.stringContaining('job: ')] });
});

it('what a killed process held may be missing, and is counted; no more than that', () => {
  expect(judge(attempt, { mayLackRequest: true })).toMatchObject({ withoutRequest: 1, problems: [] });
  expect(judge(request, { attempts: [], mayLackAttempt: true })).toMatchObject({ withoutAttempt: 1, problems: [] });
  expect(judge([], { mayLackRequest: true, mayLackAttempt: true })).toMatchObject({ gone: 1, problems: [] });
  expect(judge([], { mayLackAttempt: true }).problems).toHaveLength(1);
  expect(judge(request, { mayLackAttempt: true }).problems).toHaveLength(1);
  expect(judge([...attempt, span('9', '8', 'execute')], { mayLackRequest: true }).problems).toHaveLength(1);
});

it('a ratio samples by the last digits of the id', () => {
  const ending = (digits: string): string => `ffffffffffffffff${digits.padStart(16, 'f')}`;
  expect(isSampledAt(ending('028f5c28f5c28'), 0.01)).toBe(true);
  expect(isSampledAt(ending('028f5c28f5c2a'), 0.01)).toBe(false);
});
