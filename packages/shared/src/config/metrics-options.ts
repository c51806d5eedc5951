import { httpUrl, integerBetween, matching, oneOf, option, secretOfAtLeast } from './option';

/** Settings of metrics. A part of the option table. */
export const metricsOptions = {
  metricsToken: option({
    name: 'PYTHON3_METRICS_TOKEN', parse: secretOfAtLeast(32), default: '', defaultText: 'none: a key of any role', secret: true, accepts: 'at least 32 characters',
    description: 'Bearer token that opens `GET /metrics` and nothing else, for Prometheus. Worker nodes that are given it ask for it, too.',
  }),
  workerMetricsPort: option({
    name: 'PYTHON3_WORKER_METRICS_PORT', parse: integerBetween(0, 65_535), default: 0, defaultText: '`0`: none', accepts: 'port; 0 for none',
    description: 'Port on which a worker node answers `GET /metrics` and `GET /health/live`.',
  }),
  workerMetricsHost: option({
    name: 'PYTHON3_WORKER_METRICS_HOST', parse: matching(/^[A-Za-z0-9.:_-]+$/, 'a host name or address'), default: '127.0.0.1', accepts: 'host name or address',
    description: 'Address of that port. Beyond loopback give worker nodes a `PYTHON3_METRICS_TOKEN`.',
  }),
  metricsExporter: option({
    name: 'OTEL_METRICS_EXPORTER', parse: oneOf('otlp', 'none'), default: 'otlp', accepts: '`otlp` or `none`',
    description: 'How metrics are pushed, where an endpoint is set. `GET /metrics` answers in any case.',
  }),
  otlpMetricsEndpoint: option({
    name: 'OTEL_EXPORTER_OTLP_METRICS_ENDPOINT', parse: httpUrl, default: '', defaultText: '`OTEL_EXPORTER_OTLP_ENDPOINT` and `/v1/metrics`', accepts: 'URL',
    description: 'Where metrics go, if not where the rest does.',
  }),
  metricExportIntervalMs: option({
    name: 'OTEL_METRIC_EXPORT_INTERVAL', parse: integerBetween(100, 3_600_000), default: 60_000, accepts: 'ms, 100 to 3,600,000',
    description: 'How often metrics are pushed.',
  }),
} as const; // prettier-ignore
