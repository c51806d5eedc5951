import type { MetricReader } from '@opentelemetry/sdk-metrics';
import type { Config } from '../config/option-table';
import type { Logger } from '../logging/create-logger';
import { SERVICE_NAMES } from '../telemetry/span-names';
import { PRODUCT_VERSION } from '../version';
import { createInstruments, type Instruments, type MetricSource } from './instruments';
import type { MetricDefinition } from './metric-table';
import { toPrometheusText } from './prometheus-text';

export interface ProcessMetricsOptions {
  readonly service: 'api' | 'worker';
  readonly instanceId: string;
  readonly config: Config;
  readonly logger: Logger;
}

export interface LoadedMetrics {
  readonly instruments: Instruments;
  /** Prometheus' text format. */
  readonly collect: () => Promise<string>;
  readonly stop: () => Promise<void>;
}

export interface LoadMetricsOptions extends ProcessMetricsOptions {
  readonly kinds: readonly MetricDefinition['from'][];
  readonly sources: readonly MetricSource[];
  /** Whether metrics are pushed by OTLP. */
  readonly pushes: boolean;
}

/** Longest that sources may take at a collection. */
const COLLECT_TIMEOUT_MS = 5_000;

const PUSH_TIMEOUT_MS = 10_000;

/** Loads OpenTelemetry's SDK. `ProcessMetrics` says when. */
export async function loadMetrics(options: LoadMetricsOptions): Promise<LoadedMetrics> {
  const { service, instanceId, config, logger, kinds, sources, pushes } = options;
  const { MeterProvider } = await import('@opentelemetry/sdk-metrics');
  const { detectResources, envDetector, resourceFromAttributes } = await import('@opentelemetry/resources');
  const { PrometheusSerializer } = await import('@opentelemetry/exporter-prometheus');
  const scrape = await createScrapeReader();
  const provider = new MeterProvider({
    // `OTEL_SERVICE_NAME` and `OTEL_RESOURCE_ATTRIBUTES` are laid over this.
    resource: resourceFromAttributes({
      'service.name': SERVICE_NAMES[service], 'service.version': PRODUCT_VERSION, 'service.instance.id': instanceId,
    }).merge(detectResources({ detectors: [envDetector] })),
    readers: pushes ? [scrape, await createPush(config)] : [scrape],
  }); // prettier-ignore
  const instruments = createInstruments(provider.getMeter('python3-cluster', PRODUCT_VERSION), kinds, sources);
  const serializer = new PrometheusSerializer(undefined, false, undefined, false, true);
  if (pushes) logger.info({ everyMs: config.metricExportIntervalMs }, 'metrics are exported');
  return {
    instruments,
    collect: async () => {
      const { resourceMetrics, errors } = await scrape.collect({ timeoutMillis: COLLECT_TIMEOUT_MS });
      for (const error of errors) logger.warn({ error: String(error) }, 'some metrics could not be collected');
      return toPrometheusText(serializer, resourceMetrics);
    },
    stop: () => provider.shutdown(),
  };
}

/** Collects when somebody asks. */
async function createScrapeReader(): Promise<MetricReader> {
  const sdk = await import('@opentelemetry/sdk-metrics');
  class ScrapeReader extends sdk.MetricReader {
    protected onShutdown = (): Promise<void> => Promise.resolve();
    protected onForceFlush = (): Promise<void> => Promise.resolve();
  }
  return new ScrapeReader();
}

/** Headers, compression, certificates and the like the exporter reads from the standard `OTEL_EXPORTER_OTLP_…` settings itself. */
async function createPush({
  otlpEndpoint,
  otlpMetricsEndpoint,
  metricExportIntervalMs: exportIntervalMillis,
}: Config): Promise<MetricReader> {
  const { PeriodicExportingMetricReader } = await import('@opentelemetry/sdk-metrics');
  const { OTLPMetricExporter } = await import('@opentelemetry/exporter-metrics-otlp-proto');
  const url = otlpMetricsEndpoint === '' ? `${otlpEndpoint}/v1/metrics` : otlpMetricsEndpoint;
  const exportTimeoutMillis = Math.min(exportIntervalMillis, PUSH_TIMEOUT_MS);
  return new PeriodicExportingMetricReader({ exporter: new OTLPMetricExporter({ url }), exportIntervalMillis, exportTimeoutMillis });
}
