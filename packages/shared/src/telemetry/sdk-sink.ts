import type * as OpenTelemetry from '@opentelemetry/api';
import { spanIdOf, type RecordedSpan } from './recorded-span';
import type { SpanSink } from './tracing';

/** What the SDK asks for ids; it gets those the spans were recorded with. */
export interface ChosenIds {
  readonly generateTraceId: () => string;
  readonly generateSpanId: () => string;
}

/** Replays recorded spans through the SDK's own tracer, so that limits, resource, batching and export are the SDK's. */
export class SdkSink implements SpanSink {
  /** To be given to the SDK. */
  readonly ids: ChosenIds = { generateTraceId: () => this.traceId, generateSpanId: () => this.spanId };
  private readonly api: typeof OpenTelemetry;
  private readonly getTracer: () => OpenTelemetry.Tracer;
  private traceId = '';
  private spanId = '';

  /** OpenTelemetry's API is given, as it is loaded only where it is needed; its tracer is asked for when the first span is there. */
  constructor(api: typeof OpenTelemetry, getTracer: () => OpenTelemetry.Tracer) {
    this.api = api;
    this.getTracer = getTracer;
  }

  export(traceId: string, spans: readonly RecordedSpan[]): void {
    const tracer = this.getTracer();
    this.traceId = traceId;
    for (const span of spans) this.replay(tracer, span);
  }

  private replay(tracer: OpenTelemetry.Tracer, recorded: RecordedSpan): void {
    const { traceId } = this;
    const { ROOT_CONTEXT, trace } = this.api;
    const { name, kind, parent, startMs, endMs, attributes, links, errorType } = recorded;
    this.spanId = spanIdOf(recorded);
    const context =
      parent === undefined
        ? ROOT_CONTEXT
        : trace.setSpanContext(ROOT_CONTEXT, {
            traceId,
            spanId: typeof parent === 'string' ? parent : spanIdOf(parent),
            traceFlags: SAMPLED,
            isRemote: typeof parent === 'string',
          });
    const options = { kind, startTime: startMs, attributes, ...(links && { links: links.map((link) => toLink(traceId, link)) }) };
    const span = tracer.startSpan(name, options, context);
    if (errorType !== undefined) span.setStatus({ code: STATUS_ERROR });
    span.end(Math.max(startMs, endMs));
  }
}

const toLink = (traceId: string, { spanId, attributes }: NonNullable<RecordedSpan['links']>[number]): OpenTelemetry.Link => ({
  context: { traceId, spanId, traceFlags: SAMPLED, isRemote: true },
  attributes,
});

/** `TraceFlags.SAMPLED` */
const SAMPLED = 1;
/** `SpanStatusCode.ERROR` */
const STATUS_ERROR = 2;
