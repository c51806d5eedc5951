import { execFile, execFileSync } from 'node:child_process';
import { createServer, type IncomingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { gunzipSync } from 'node:zlib';
import { describe, expect, it } from '@jest/globals';

const SHARED = join(__dirname, '..', '..', 'dist', 'index.js');
const PROGRAM = `
const { startTelemetry, loadConfig, createLogger } = require(process.argv[1]);
startTelemetry('api', loadConfig(process.env).config, createLogger('api', 'silent')).then(async (telemetry) => {
  const loaded = Object.keys(require.cache).some((file) => file.includes('@opentelemetry/sdk-'));
  await telemetry.stop();
  console.log(JSON.stringify({ records: telemetry.tracing !== undefined, loaded }));
});`;

const start = (settings: Record<string, string>): unknown =>
  JSON.parse(
    execFileSync(process.execPath, ['-e', PROGRAM, SHARED], { env: { PATH: process.env['PATH'], ...settings }, encoding: 'utf8' }),
  );

const ENDPOINT = 'http://127.0.0.1:9';

it.each([
  ['without an endpoint', {}],
  ['with OTEL_SDK_DISABLED', { OTEL_EXPORTER_OTLP_ENDPOINT: ENDPOINT, OTEL_SDK_DISABLED: 'true' }],
  ['with OTEL_TRACES_EXPORTER=none', { OTEL_EXPORTER_OTLP_ENDPOINT: ENDPOINT, OTEL_TRACES_EXPORTER: 'none' }],
])('%s nothing is recorded, and the SDK is not even loaded', (_words, settings) => {
  expect(start(settings)).toEqual({ records: false, loaded: false });
});

it('with an endpoint for traces alone they are recorded', () => {
  expect(start({ OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: `${ENDPOINT}/v1/traces` })).toEqual({ records: true, loaded: true });
});

const EXPORTING = `
const { startTelemetry, loadConfig, createLogger } = require(process.argv[1]);
startTelemetry('api', loadConfig(process.env).config, createLogger('api', 'silent')).then(async ({ tracing, stop }) => {
  const span = { name: 'a span', kind: 0, parent: undefined, spanId: 'abcdef0123456789', startMs: 1, endMs: 2, attributes: { first: 'abcdef', second: 2 } };
  tracing.export('0123456789abcdef0123456789abcdef', [span]);
  await stop();
});`;

interface Received {
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

/** What a collector gets of one span, its endpoint given by the setting named. */
async function exportOne(settings: Record<string, string>, endpoint: (url: string) => Record<string, string>): Promise<Received[]> {
  const received: Received[] = [];
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const body = Buffer.concat(chunks);
      const isPacked = request.headers['content-encoding'] === 'gzip';
      received.push({ path: request.url ?? '', headers: request.headers, body: isPacked ? gunzipSync(body) : body });
      response.end();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  try {
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const env = { PATH: process.env['PATH'], ...settings, ...endpoint(url) };
    await promisify(execFile)(process.execPath, ['-e', EXPORTING, SHARED], { env });
  } finally {
    server.close();
  }
  return received;
}

const general = (url: string): Record<string, string> => ({ OTEL_EXPORTER_OTLP_ENDPOINT: url });

interface SentTraces {
  readonly resourceSpans: readonly [
    {
      readonly resource: { readonly attributes: readonly { readonly key: string; readonly value: object }[] };
      readonly scopeSpans: readonly [{ readonly spans: readonly object[] }];
    },
  ];
}

describe('the standard settings count', () => {
  it('http/protobuf is the default; endpoint, headers and compression', async () => {
    const settings = { OTEL_EXPORTER_OTLP_HEADERS: 'x-plant=hall%207', OTEL_EXPORTER_OTLP_COMPRESSION: 'gzip' };
    const [sent, ...more] = await exportOne(settings, general);
    expect(more).toEqual([]);
    expect(sent?.path).toBe('/v1/traces');
    expect(sent?.headers).toMatchObject({
      'content-type': 'application/x-protobuf', 'content-encoding': 'gzip', 'x-plant': 'hall 7',
    }); // prettier-ignore
    expect(sent?.body.includes('python3-cluster-api')).toBe(true);
    expect(sent?.body.includes(Buffer.from('0123456789abcdef0123456789abcdef', 'hex'))).toBe(true);
  });

  it('http/json; an endpoint, headers and a protocol of traces’ own; service, resource and limits', async () => {
    const [sent] = await exportOne(
      {
        OTEL_EXPORTER_OTLP_TRACES_PROTOCOL: 'http/json',
        OTEL_EXPORTER_OTLP_TRACES_HEADERS: 'x-plant=8',
        OTEL_SERVICE_NAME: 'line-7',
        OTEL_RESOURCE_ATTRIBUTES: 'deployment.environment=hall,service.name=no',
        OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT: '3',
        OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT: '1',
      },
      (url) => ({ OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: `${url}/traces-here` }),
    );
    expect(sent?.path).toBe('/traces-here');
    expect(sent?.headers).toMatchObject({ 'content-type': 'application/json', 'x-plant': '8' });
    const { resource, scopeSpans } = (JSON.parse(sent?.body.toString() ?? '') as SentTraces).resourceSpans[0];
    const attributes = Object.fromEntries(resource.attributes.map(({ key, value }) => [key, Object.values(value)[0] as unknown]));
    expect(attributes).toMatchObject({
      'service.name': 'line-7', 'deployment.environment': 'hall', 'service.version': expect.any(String),
      'service.instance.id': expect.any(String), 'telemetry.sdk.name': 'opentelemetry',
    }); // prettier-ignore
    expect(scopeSpans[0].spans).toMatchObject([
      {
        traceId: '0123456789abcdef0123456789abcdef', spanId: 'abcdef0123456789', name: 'a span',
        attributes: [{ key: 'first', value: { stringValue: 'abc' } }], droppedAttributesCount: 1,
      },
    ]); // prettier-ignore
  });

  it('gRPC is refused at the start, with what there is instead', () => {
    expect(() => start({ OTEL_EXPORTER_OTLP_ENDPOINT: ENDPOINT, OTEL_EXPORTER_OTLP_PROTOCOL: 'grpc' })).toThrow(
      /OTEL_EXPORTER_OTLP_PROTOCOL.*http\/protobuf.*http\/json/,
    );
  });
});
