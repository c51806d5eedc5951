import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { gunzipSync } from 'node:zlib';
import definitions from 'otlp-protobuf/build/src/generated/root.js';
import { waitFor } from './wait-for';

/** A span as the official protobuf says it, in plain words. */
export interface ReceivedSpan {
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId: string;
  readonly name: string;
  /** `SPAN_KIND_…` without the beginning, in lower case. */
  readonly kind: string;
  readonly startMs: number;
  readonly endMs: number;
  readonly attributes: Readonly<Record<string, unknown>>;
  readonly links: readonly { readonly traceId: string; readonly spanId: string; readonly attributes: Readonly<Record<string, unknown>> }[];
  readonly isError: boolean;
  readonly statusMessage: string;
  readonly resource: Readonly<Record<string, unknown>>;
}

/** How the collector answers: as it should, with an error, or not at all. */
export type Behaviour = 'take' | 'refuse' | 'hang';

/** A collector of the tests: takes OTLP over HTTP, packed or not, and decodes it with the official definitions. */
export class OtlpReceiver {
  readonly spans: ReceivedSpan[] = [];
  readonly requests: { readonly headers: IncomingMessage['headers']; readonly path: string; readonly bytes: Buffer }[] = [];
  behaviour: Behaviour = 'take';
  private readonly server: Server;

  private constructor() {
    this.server = createServer((request, response) => void this.handle(request, response));
  }

  static async start(): Promise<OtlpReceiver> {
    const receiver = new OtlpReceiver();
    await new Promise<void>((resolve) => receiver.server.listen(0, '127.0.0.1', resolve));
    return receiver;
  }

  get endpoint(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  ofTrace(traceId: string): ReceivedSpan[] {
    return this.spans.filter((span) => span.traceId === traceId);
  }

  /** The spans of a trace, once those that are named are there. */
  async trace(traceId: string, ...names: readonly string[]): Promise<ReceivedSpan[]> {
    await waitFor(
      `${names.join(', ')} of ${traceId}`,
      () => {
        const found = this.ofTrace(traceId).map(({ name }) => name);
        return names.every((name) => found.filter((one) => one === name).length >= names.filter((one) => one === name).length);
      },
      20_000,
    );
    return this.ofTrace(traceId);
  }

  async stop(): Promise<void> {
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
  }

  private async handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const sent = Buffer.concat(chunks);
    const bytes = request.headers['content-encoding'] === 'gzip' ? gunzipSync(sent) : sent;
    const path = request.url ?? '';
    this.requests.push({ headers: request.headers, path, bytes });
    if (this.behaviour === 'hang') return;
    // Metrics come to the same endpoint.
    if (this.behaviour === 'take' && path === '/v1/traces') this.spans.push(...decode(bytes));
    response.writeHead(this.behaviour === 'take' ? 200 : 400, { 'content-type': 'application/x-protobuf' }).end();
  }
}

interface Message {
  decode(bytes: Uint8Array): object;
  toObject(message: object, options: object): { resourceSpans?: readonly ResourceSpans[] };
}

const { opentelemetry } = definitions as unknown as {
  opentelemetry: { proto: { collector: { trace: { v1: { ExportTraceServiceRequest: Message } } } } };
};
const Request = opentelemetry.proto.collector.trace.v1.ExportTraceServiceRequest;
const KINDS = ['unspecified', 'internal', 'server', 'client', 'producer', 'consumer'];

type Attributes = readonly { readonly key: string; readonly value: Readonly<Record<string, unknown>> }[];

interface ResourceSpans {
  readonly resource: { readonly attributes?: Attributes };
  readonly scopeSpans: readonly { readonly spans: readonly SentSpan[] }[];
}

interface SentSpan {
  readonly traceId: Uint8Array;
  readonly spanId: Uint8Array;
  readonly parentSpanId?: Uint8Array;
  readonly name: string;
  readonly kind: number;
  readonly startTimeUnixNano: string;
  readonly endTimeUnixNano: string;
  readonly attributes?: Attributes;
  readonly links?: readonly { readonly traceId: Uint8Array; readonly spanId: Uint8Array; readonly attributes?: Attributes }[];
  readonly status?: { readonly code?: number; readonly message?: string };
}

function decode(bytes: Buffer): ReceivedSpan[] {
  const { resourceSpans = [] } = Request.toObject(Request.decode(bytes), { longs: String, bytes: Buffer });
  return resourceSpans.flatMap(({ resource, scopeSpans }) =>
    scopeSpans.flatMap(({ spans }) => spans.map((span) => toReceived(span, toRecord(resource.attributes)))),
  );
}

const toReceived = (span: SentSpan, resource: ReceivedSpan['resource']): ReceivedSpan => ({
  traceId: hex(span.traceId),
  spanId: hex(span.spanId),
  parentSpanId: hex(span.parentSpanId),
  name: span.name,
  kind: KINDS[span.kind] ?? '',
  startMs: toMs(span.startTimeUnixNano),
  endMs: toMs(span.endTimeUnixNano),
  attributes: toRecord(span.attributes),
  links: (span.links ?? []).map(({ traceId, spanId, attributes }) => ({
    traceId: hex(traceId),
    spanId: hex(spanId),
    attributes: toRecord(attributes),
  })),
  isError: span.status?.code === 2,
  statusMessage: span.status?.message ?? '',
  resource,
});

const toMs = (unixNano: string): number => Number(BigInt(unixNano) / 1_000n) / 1_000;

const hex = (bytes: Uint8Array | undefined): string => Buffer.from(bytes ?? []).toString('hex');

const toRecord = (attributes: Attributes = []): Record<string, unknown> =>
  Object.fromEntries(attributes.map(({ key, value }) => [key, toValue(value)]));

function toValue(value: Readonly<Record<string, unknown>>): unknown {
  const [kind, inner] = Object.entries(value)[0] ?? [];
  return kind === 'intValue' ? Number(inner) : inner;
}
