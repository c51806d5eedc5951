import { SAMPLERS } from '../trace-context/sampler';
import { boolean, httpUrl, integerBetween, numberBetween, oneOf, option } from './option';

const OTLP_PROTOCOLS = ['http/protobuf', 'http/json'] as const;

/**
 * Settings of traces: OpenTelemetry's own names, as far as this product decides by them; its SDK reads the others itself.
 * A part of the option table.
 */
export const telemetryOptions = {
  otelDisabled: option({
    name: 'OTEL_SDK_DISABLED', parse: boolean, default: false, accepts: '`true` or `false`',
    description: 'Whether OpenTelemetry is off whatever else is set.',
  }),
  tracesExporter: option({
    name: 'OTEL_TRACES_EXPORTER', parse: oneOf('otlp', 'none'), default: 'otlp', accepts: '`otlp` or `none`',
    description: 'How traces are exported, where an endpoint is set.',
  }),
  otlpEndpoint: option({
    name: 'OTEL_EXPORTER_OTLP_ENDPOINT', parse: httpUrl, default: '', defaultText: 'none: no traces', accepts: 'URL',
    description: 'Collector that takes OTLP, e.g. `http://localhost:4318`. The other standard `OTEL_EXPORTER_OTLP_…` and `OTEL_BSP_…` settings count, too; see [Tracing](tracing.md#settings).',
  }),
  otlpTracesEndpoint: option({
    name: 'OTEL_EXPORTER_OTLP_TRACES_ENDPOINT', parse: httpUrl, default: '', defaultText: '`OTEL_EXPORTER_OTLP_ENDPOINT` and `/v1/traces`', accepts: 'URL',
    description: 'Where traces go, if not where the rest does.',
  }),
  otlpProtocol: option({
    name: 'OTEL_EXPORTER_OTLP_PROTOCOL', parse: oneOf(...OTLP_PROTOCOLS), default: 'http/protobuf', accepts: '`http/protobuf` or `http/json`',
    description: 'How traces are written. `grpc` is not there: collectors take HTTP as well, mostly at port 4318. Metrics are always `http/protobuf`.',
  }),
  otlpTracesProtocol: option({
    name: 'OTEL_EXPORTER_OTLP_TRACES_PROTOCOL', parse: oneOf(...OTLP_PROTOCOLS), default: '', defaultText: '`OTEL_EXPORTER_OTLP_PROTOCOL`',
    accepts: '`http/protobuf` or `http/json`',
    description: 'The same under its longer standard name, which goes first.',
  }),
  tracesSampler: option({
    name: 'OTEL_TRACES_SAMPLER', parse: oneOf(...SAMPLERS), default: 'parentbased_always_on', accepts: SAMPLERS.map((name) => `\`${name}\``).join(', '),
    description: 'Which traces are exported. `parentbased_…`: as the caller’s `traceparent` says, and by the rest of the name where there is none. Set it alike everywhere.',
  }),
  tracesSamplerRatio: option({
    name: 'OTEL_TRACES_SAMPLER_ARG', parse: numberBetween(0, 1), default: 1, accepts: '0 to 1',
    description: 'Share of traces that `traceidratio` exports.',
  }),
  traceFailedPerSecond: option({
    name: 'PYTHON3_TRACE_FAILED_PER_SECOND', parse: integerBetween(0, 1_000), default: 5, accepts: '0 to 1,000',
    description: 'Traces of failed jobs that a process exports a second although they were not sampled; 0: none.',
  }),
  jaegerUiUrl: option({
    name: 'JAEGER_UI_URL', parse: httpUrl, default: '', defaultText: 'none', accepts: 'URL',
    description: 'Where Jaeger’s pages are for whoever reads job records: they get `links.trace`.',
  }),
} as const; // prettier-ignore
