import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import definitions from 'otlp-protobuf/build/src/generated/root.js';

export interface ToldMetric {
  readonly name: string;
  readonly unit: string;
  readonly sum?: { readonly isMonotonic: boolean; readonly dataPoints: readonly { readonly asDouble?: number; readonly asInt?: number }[] };
  readonly histogram?: { readonly dataPoints: readonly { readonly sum?: number }[] };
}

/** By OpenTelemetry's own definitions. */
function decode(body: Buffer): { resource: Record<string, string>; metrics: ToldMetric[] } {
  interface Request {
    readonly resourceMetrics: readonly {
      readonly resource: { readonly attributes: readonly { readonly key: string; readonly value: { readonly stringValue: string } }[] };
      readonly scopeMetrics: readonly { readonly metrics: readonly ToldMetric[] }[];
    }[];
  }
  const type = (definitions as unknown as { opentelemetry: { proto: { collector: { metrics: { v1: { ExportMetricsServiceRequest: { decode(body: Buffer): Request } } } } } } }).opentelemetry.proto.collector.metrics.v1.ExportMetricsServiceRequest;
  const [first] = type.decode(body).resourceMetrics;
  return {
    resource: Object.fromEntries((first?.resource.attributes ?? []).map(({ key, value }) => [key, value.stringValue])),
    metrics: (first?.scopeMetrics ?? []).flatMap(({ metrics: told }) => told),
  };
} // prettier-ignore

export interface ToldMetrics {
  readonly resource: Readonly<Record<string, string>>;
  readonly metrics: readonly ToldMetric[];
}

/** A collector of the tests: takes metrics by OTLP over HTTP, and decodes the newest with the official definitions. */
export class MetricsCollector {
  private readonly server: Server;
  private body: Buffer | undefined;

  constructor() {
    this.server = createServer((request, response) => {
      const chunks: Buffer[] = [];
      request.on('data', (chunk: Buffer) => chunks.push(chunk));
      request.on('end', () => {
        if (request.url === '/v1/metrics') this.body = Buffer.concat(chunks);
        response.writeHead(200, { 'content-type': 'application/x-protobuf' }).end();
      });
    });
  }

  /** Answers its address. */
  async start(): Promise<string> {
    await new Promise<void>((resolve) => this.server.listen(0, '127.0.0.1', resolve));
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  /** The newest that were pushed. */
  told(): ToldMetrics | undefined {
    return this.body && decode(this.body);
  }

  async stop(): Promise<void> {
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
  }
}
