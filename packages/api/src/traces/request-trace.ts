import {
  ATTRIBUTES, createSpanId, createTraceId, formatTraceparent, MESSAGING_SYSTEM, recordSpan, SPAN_KINDS, SPAN_NAMES, spanIdOf, traceNowMs,
  type Job, type Outcome, type RecordedSpan, type TraceContext, type Tracing,
} from '@python3-cluster/shared'; // prettier-ignore
import type { DeferredTraces } from './deferred-traces';

/** How a request was answered. */
export interface RequestEnd {
  readonly method: string;
  /** The pattern that took it; undefined: none did. */
  readonly route: string | undefined;
  readonly statusCode: number;
  readonly errorCode: string | undefined;
  readonly jobId: string | undefined;
  /** Whether the caller was gone before it had its answer. */
  readonly isAborted: boolean;
}

/**
 * The trace a request belongs to: its caller's, or one of its own. Every request has one, so that every answer can name it;
 * spans are recorded only where traces are configured.
 *
 *   caller's span ──▶ server span ──▶ producer span ──▶ (with the job) the worker node's spans
 */
export class RequestTrace {
  readonly traceId: string;
  private readonly tracing: Tracing | undefined;
  private readonly incoming: TraceContext | undefined;
  private readonly isSampled: boolean;
  private readonly server: RecordedSpan | undefined;
  private producer: RecordedSpan | undefined;
  private outcome: Outcome | undefined;
  private readonly deferred: Pick<DeferredTraces, 'keep'> | undefined;

  /** `deferred` takes what may be exported later. */
  constructor(tracing: Tracing | undefined, incoming: TraceContext | undefined, deferred?: Pick<DeferredTraces, 'keep'>) {
    this.tracing = tracing;
    this.deferred = deferred;
    this.incoming = incoming;
    this.traceId = incoming?.traceId ?? createTraceId();
    this.isSampled = tracing === undefined ? (incoming?.isSampled ?? false) : tracing.isSampled(this.traceId, incoming);
    // Named when it ends: which route takes it is not known yet.
    if (tracing !== undefined) this.server = recordSpan('', SPAN_KINDS.server, incoming?.spanId, traceNowMs());
  }

  /** What travels with the request's job, and is where its spans go on. */
  get jobTraceparent(): string {
    const { traceId, isSampled } = this;
    if (this.tracing === undefined) return formatTraceparent(this.incoming ?? { traceId, spanId: createSpanId(), isSampled });
    this.producer ??= recordSpan('', SPAN_KINDS.producer, this.server, traceNowMs());
    return formatTraceparent({ traceId, spanId: spanIdOf(this.producer), isSampled });
  }

  startEnqueue(): void {
    if (this.producer !== undefined) this.producer.startMs = traceNowMs();
  }

  endEnqueue(job: Job, payloadBytes: number): void {
    const { producer } = this;
    if (producer === undefined) return;
    producer.endMs = traceNowMs();
    producer.name = SPAN_NAMES.enqueue(job.lane);
    Object.assign(producer.attributes, enqueueAttributes(job, payloadBytes));
  }

  failEnqueue(lane: string, errorCode: string): void {
    const { producer } = this;
    if (producer === undefined) return;
    producer.endMs = traceNowMs();
    producer.name = SPAN_NAMES.enqueue(lane);
    producer.errorType = producer.attributes[ATTRIBUTES.errorType] = errorCode;
  }

  /** Told where the caller has waited for it. */
  noteOutcome(outcome: Outcome): void {
    this.outcome = outcome;
  }

  /** Exports what was recorded, or drops it. */
  end(end: RequestEnd): void {
    const { tracing, server, producer } = this;
    if (tracing === undefined || server === undefined) return;
    this.complete(server, end);
    // One that was never sent has no name: the job was an earlier request's.
    const spans = producer === undefined || producer.name === '' ? [server] : [server, producer];
    if (this.isSampled) return tracing.export(this.traceId, spans);
    // With the worker node's: it was that one's decision.
    const isWanted = this.outcome?.traced ?? (end.statusCode >= 500 && tracing.admitFailure());
    if (isWanted) tracing.exportUnsampled(this.traceId, spans);
    else if (this.outcome === undefined && spans.length > 1 && end.jobId !== undefined) this.deferred?.keep(end.jobId, this.traceId, spans);
  }

  private complete(server: RecordedSpan, { method, route, statusCode, errorCode, jobId, isAborted }: RequestEnd): void {
    server.name = SPAN_NAMES.request(method, route);
    server.endMs = traceNowMs();
    // What the caller did wrong is no failure of the server.
    server.errorType = statusCode >= 500 ? (errorCode ?? String(statusCode)) : isAborted ? ABORTED : undefined;
    const { attributes } = server;
    const errorType = server.errorType ?? errorCode;
    attributes[ATTRIBUTES.method] = method;
    if (route !== undefined) attributes[ATTRIBUTES.route] = route;
    if (!isAborted) attributes[ATTRIBUTES.statusCode] = statusCode;
    if (jobId !== undefined) attributes[ATTRIBUTES.jobId] = jobId;
    if (this.outcome !== undefined) attributes[ATTRIBUTES.status] = this.outcome.status;
    if (errorType !== undefined) attributes[ATTRIBUTES.errorType] = errorType;
  }
}

/** `error.type` of a request whose caller hung up. */
const ABORTED = 'aborted';

const enqueueAttributes = (job: Job, payloadBytes: number): RecordedSpan['attributes'] => ({
  [ATTRIBUTES.messagingSystem]: MESSAGING_SYSTEM,
  [ATTRIBUTES.operation]: 'send',
  [ATTRIBUTES.operationType]: 'send',
  [ATTRIBUTES.destination]: job.lane,
  [ATTRIBUTES.messageId]: job.id,
  [ATTRIBUTES.bodySize]: payloadBytes,
  [ATTRIBUTES.jobId]: job.id,
  [ATTRIBUTES.jobKind]: job.kind,
  [ATTRIBUTES.jobMode]: job.mode,
});
