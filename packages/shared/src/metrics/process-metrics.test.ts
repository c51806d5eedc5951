import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, expect, it } from '@jest/globals';
import definitions from 'otlp-protobuf/build/src/generated/root.js';
import { pino } from 'pino';
import { waitFor } from '../../../../test/support/wait-for';
import { loadConfig } from '../config/load-config';
import { metricTable, prometheusNameOf } from './metric-table';
import { ProcessMetrics } from './process-metrics';

let metrics: ProcessMetrics;
let collector: Server | undefined;

function create(environment: Record<string, string> = {}): ProcessMetrics {
  const { config } = loadConfig(environment);
  metrics = new ProcessMetrics({ service: 'worker', instanceId: 'node-1', config, logger: pino({ level: 'silent' }) });
  return metrics;
}
interface ToldMetric {
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

afterEach(async () => {
  await metrics.stop();
  collector?.closeAllConnections();
  collector?.close();
});

it('sources are asked at each collection, and one that fails costs its own metrics only', async () => {
  create();
  let asked = 0;
  metrics.observe((report) => {
    report('slotsMax', (asked += 1));
    report('slots', 2, { state: 'in_use' });
    report('jobsOpen', 5, { lane: 'x' });
  });
  metrics.observe(() => Promise.reject(new Error('as it happens')));
  expect(await metrics.toPrometheus()).toContain('python3_worker_slots_max 1\n');
  const text = await metrics.toPrometheus();
  expect(text).toContain('python3_worker_slots_max 2\n');
  expect(text).toContain('python3_worker_slots{state="in_use"} 2\n');
  // not this process' to tell
  expect(text).not.toContain('python3_cluster');
  expect(text).toMatch(/^# TYPE process_uptime_seconds gauge$/m);
});

it('histograms are recorded from the first collection on', async () => {
  create();
  metrics.record('runDuration', 0.004, { lane: 'default', status: 'failed' });
  await metrics.toPrometheus();
  metrics.record('runDuration', 0.004, { lane: 'default', status: 'failed' });
  expect(await metrics.toPrometheus()).toContain('python3_worker_job_run_duration_seconds_bucket{lane="default",status="failed",le="0.005"} 1\n');
}); // prettier-ignore

it('no two metrics have one name, neither here nor in Prometheus', () => {
  const names = Object.values(metricTable).map(({ name }) => name);
  expect(new Set(names).size).toBe(names.length);
  expect(new Set(Object.values(metricTable).map(prometheusNameOf)).size).toBe(names.length);
});

it('they are pushed to an OTLP collector, in its own encoding, and what is left is pushed at the end', async () => {
  const bodies: Buffer[] = [];
  collector = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      if (request.url === '/v1/metrics') bodies.push(Buffer.concat(chunks));
      response.writeHead(200, { 'content-type': 'application/x-protobuf' }).end();
    });
  });
  await new Promise<void>((resolve) => collector?.listen(0, '127.0.0.1', resolve));
  const endpoint = `http://127.0.0.1:${(collector.address() as AddressInfo).port}`;
  create({ OTEL_EXPORTER_OTLP_ENDPOINT: endpoint, OTEL_METRIC_EXPORT_INTERVAL: '100' });
  metrics.observe((report) => report('outcomesWritten', 7, { lane: 'default', status: 'succeeded' }));
  await metrics.start();
  metrics.record('cpuTime', 0.25, { lane: 'default' });
  await waitFor('a push', () => bodies.length > 0);
  await metrics.stop();
  const { resource, metrics: told } = decode(bodies.at(-1) ?? Buffer.alloc(0));
  expect(resource).toMatchObject({ 'service.name': 'python3-cluster-worker', 'service.instance.id': 'node-1' });
  const outcomes = told.find(({ name }) => name === 'python3.worker.outcomes');
  expect(outcomes).toMatchObject({ unit: '{job}', sum: { isMonotonic: true } });
  expect(Number(outcomes?.sum?.dataPoints[0]?.asDouble ?? outcomes?.sum?.dataPoints[0]?.asInt)).toBe(7);
  expect(told.find(({ name }) => name === 'python3.worker.job.cpu_time')?.histogram?.dataPoints[0]?.sum).toBe(0.25);
});

it('nothing is pushed where OpenTelemetry is off', async () => {
  create({ OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:9', OTEL_SDK_DISABLED: 'true' });
  await metrics.start();
  expect((metrics as unknown as { loading: unknown }).loading).toBeUndefined();
});
