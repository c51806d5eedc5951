import { randomBytes } from 'node:crypto';
import { expect } from '@jest/globals';
import type { ReceivedSpan } from './otlp-receiver';

export interface Caller {
  readonly traceId: string;
  readonly spanId: string;
  readonly headers: { readonly traceparent: string };
}

/** A caller whose trace is sampled, or not. */
export function caller(isSampled = true): Caller {
  const [traceId, spanId] = [randomBytes(16).toString('hex'), randomBytes(8).toString('hex')];
  return { traceId, spanId, headers: { traceparent: `00-${traceId}-${spanId}-0${isSampled ? 1 : 0}` } };
}

export const one = (spans: readonly ReceivedSpan[], name: string): ReceivedSpan => {
  const found = spans.filter((span) => span.name === name);
  if (found.length !== 1) throw new Error(`${found.length} spans are called '${name}': ${spans.map((span) => span.name).join(', ')}`);
  return found[0] as ReceivedSpan;
};
export const childrenOf = (spans: readonly ReceivedSpan[], parent: ReceivedSpan): string[] =>
  spans
    .filter(({ parentSpanId }) => parentSpanId === parent.spanId)
    .sort((a, b) => a.startMs - b.startMs)
    .map(({ name }) => name);

/** Every span but the caller's own is there, and lies inside the one it belongs to, as far as clocks of processes agree. */
export function assertConnected(spans: readonly ReceivedSpan[], rootParent: string): void {
  const byId = new Map(spans.map((span) => [span.spanId, span]));
  expect(byId.size).toBe(spans.length);
  for (const span of spans) {
    expect(span.endMs).toBeGreaterThanOrEqual(span.startMs);
    if (span.parentSpanId === rootParent) continue;
    const parent = byId.get(span.parentSpanId);
    expect({ span: span.name, parent: parent?.name }).toEqual({ span: span.name, parent: expect.any(String) });
    if (parent === undefined) continue;
    expect(span.startMs).toBeGreaterThanOrEqual(parent.startMs - CLOCK_MS);
    // What happens on a worker node comes after what put the job there, and is no part of it.
    if (parent.kind !== 'producer') expect(span.endMs).toBeLessThanOrEqual(parent.endMs + CLOCK_MS);
  }
}
const CLOCK_MS = 5;
