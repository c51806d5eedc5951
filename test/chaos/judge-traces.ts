import type { ReceivedSpan } from '../support/otlp-receiver';

/** What a sampled job's trace must hold, and what went down with a process that was killed. */
export interface ExpectedTrace {
  readonly traceId: string;
  readonly jobId: string;
  /** Numbers of the attempts whose spans must be there. None: the job ended before any node took it. */
  readonly attempts: readonly number[];
  /** The replica that took the request was killed before it can be sure to have exported. */
  readonly mayLackRequest: boolean;
  /** A worker node was killed in an attempt, or before it can be sure to have exported it. */
  readonly mayLackAttempt: boolean;
}

export interface JudgedTraces {
  readonly expected: number;
  /** One tree: one root, every parent there, and a span of each attempt. */
  readonly whole: number;
  /** The same but for the request's spans, which the killed replica held. */
  readonly withoutRequest: number;
  /** The same, without any span of a worker node: the killed one held them. */
  readonly withoutAttempt: number;
  /** Nothing of it: both held all there was. */
  readonly gone: number;
  readonly problems: readonly string[];
}

type Verdict = 'whole' | 'withoutRequest' | 'withoutAttempt' | 'gone' | { readonly problem: string };

export function judgeTraces(spans: readonly ReceivedSpan[], expected: readonly ExpectedTrace[]): JudgedTraces {
  const byTrace = groupByTrace(spans);
  const verdicts = expected.map((trace) => judge(byTrace.get(trace.traceId) ?? [], trace));
  const count = (verdict: Verdict): number => verdicts.filter((each) => each === verdict).length;
  return {
    expected: expected.length,
    whole: count('whole'),
    withoutRequest: count('withoutRequest'),
    withoutAttempt: count('withoutAttempt'),
    gone: count('gone'),
    problems: verdicts.flatMap((verdict) => (typeof verdict === 'object' ? [verdict.problem] : [])),
  };
}

function judge(spans: readonly ReceivedSpan[], trace: ExpectedTrace): Verdict {
  const { jobId, mayLackRequest, mayLackAttempt } = trace;
  const wrong = (problem: string): Verdict => ({ problem: `${jobId}: ${problem}: ${spans.map(({ name }) => name).join(', ')}` });
  if (spans.length === 0) return mayLackRequest && mayLackAttempt ? 'gone' : wrong('no trace');
  const { roots, missingParents, isUnique } = shapeOf(spans);
  if (!isUnique) return wrong('a span came twice');
  if (roots + missingParents.length !== 1) return wrong(`${roots} roots, ${missingParents.length} parents that are not there`);
  if (roots === 0 && !mayLackRequest) return wrong('the request is not there');
  const ends = spans.filter(({ name }) => name.startsWith('process ') || name.startsWith('settle '));
  const numbers = new Set(ends.map(({ attributes }) => attributes['python3.attempt.number']));
  const missing = trace.attempts.filter((number) => !numbers.has(number));
  if (missing.length > 0) return wrong(`no span of attempt ${missing.join(', ')}`);
  if (ends.length === 0) return mayLackAttempt ? 'withoutAttempt' : wrong('no span of a worker node');
  return roots === 0 ? 'withoutRequest' : 'whole';
}

export function groupByTrace(spans: readonly ReceivedSpan[]): Map<string, ReceivedSpan[]> {
  const groups = new Map<string, ReceivedSpan[]>();
  for (const span of spans) groups.set(span.traceId, [...(groups.get(span.traceId) ?? []), span]);
  return groups;
}

/** How a trace hangs together: spans without a parent, and ids of parents that nobody has sent. */
function shapeOf(spans: readonly ReceivedSpan[]): { roots: number; missingParents: string[]; isUnique: boolean } {
  const ids = new Set(spans.map(({ spanId }) => spanId));
  const parents = new Set(spans.map(({ parentSpanId }) => parentSpanId));
  const roots = spans.filter(({ parentSpanId }) => parentSpanId === '').length;
  return { roots, missingParents: [...parents].filter((id) => id !== '' && !ids.has(id)), isUnique: ids.size === spans.length };
}

/** Everything below one span: the request's, or, where that need not be there, one that nobody has sent. */
export function isOneTree(spans: readonly ReceivedSpan[], hasRequest: boolean): boolean {
  const { roots, missingParents, isUnique } = shapeOf(spans);
  return isUnique && roots + missingParents.length === 1 && (roots === 1 || !hasRequest);
}

/**
 * Whether a ratio samples a trace, reckoned anew from what the documentation says of `traceidratio`: the last 13 digits of the
 * id, as a share of all there are.
 */
export const isSampledAt = (traceId: string, ratio: number): boolean => Number(BigInt(`0x${traceId.slice(-13)}`)) / 2 ** 52 < ratio;
