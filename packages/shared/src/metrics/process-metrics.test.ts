import { afterEach, expect, it } from '@jest/globals';
import { pino } from 'pino';
import { loadConfig } from '../config/load-config';
import { metricTable, prometheusNameOf } from './metric-table';
import { ProcessMetrics } from './process-metrics';

let metrics: ProcessMetrics;

function create(environment: Record<string, string> = {}): ProcessMetrics {
  const { config } = loadConfig(environment);
  metrics = new ProcessMetrics({ service: 'worker', instanceId: 'node-1', config, logger: pino({ level: 'silent' }) });
  return metrics;
}

afterEach(async () => {
  await metrics.stop();
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

it('nothing is pushed where OpenTelemetry is off', async () => {
  create({ OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:9', OTEL_SDK_DISABLED: 'true' });
  await metrics.start();
  expect((metrics as unknown as { loading: unknown }).loading).toBeUndefined();
});
