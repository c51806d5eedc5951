import { createSpanId } from '../trace-context/trace-context';

/** Values as OpenTelemetry's `SpanKind` has them. */
export const SPAN_KINDS = { internal: 0, server: 1, client: 2, producer: 3, consumer: 4 } as const;
export type SpanKindValue = (typeof SPAN_KINDS)[keyof typeof SPAN_KINDS];

export type SpanAttributes = Record<string, string | number | boolean>;

export interface SpanLink {
  readonly spanId: string;
  readonly attributes: SpanAttributes;
}

/**
 * What happened, in a plain object: recorded for every job while traces are configured, and given to the SDK only if the
 * trace is exported. Most are dropped, so nothing is made here that only an exported span needs, its id included.
 */
export interface RecordedSpan {
  name: string;
  readonly kind: SpanKindValue;
  /** A span of the same trace, or the id of one that somebody else records. */
  parent: RecordedSpan | string | undefined;
  /** Epoch milliseconds. */
  startMs: number;
  endMs: number;
  readonly attributes: SpanAttributes;
  /** Made when it is first needed; see `spanIdOf`. */
  spanId: string | undefined;
  /** To spans of the same trace. */
  links: readonly SpanLink[] | undefined;
  /** Set: the span failed. The class of an exception, or a code; never a message. */
  errorType: string | undefined;
}

export const recordSpan = (
  name: string,
  kind: SpanKindValue,
  parent: RecordedSpan['parent'],
  startMs: number,
  attributes: SpanAttributes = {},
): RecordedSpan => ({ name, kind, parent, startMs, endMs: startMs, attributes, spanId: undefined, links: undefined, errorType: undefined });

export const spanIdOf = (span: RecordedSpan): string => (span.spanId ??= createSpanId());
