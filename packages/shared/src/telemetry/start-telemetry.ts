import type { Resource } from '@opentelemetry/resources';
import type { BasicTracerProvider, SpanExporter } from '@opentelemetry/sdk-trace-base';
import type { Config } from '../config/option-table';
import { within } from '../lifecycle/within';
import type { Logger } from '../logging/create-logger';
import { PRODUCT_VERSION } from '../version';
import { createDiagnosticLogger } from './diagnostic-logger';
import { SdkSink } from './sdk-sink';
import { SCOPE_NAME, SERVICE_NAMES } from './span-names';
import { Tracing } from './tracing';

export interface Telemetry {
  /** undefined: traces are not configured, and nothing is recorded. */
  readonly tracing: Tracing | undefined;
  /** Sends what is still waiting, as far as the collector takes it in time. Never throws. */
  readonly stop: () => Promise<void>;
}

/** The longest a stopping process waits for a collector. */
const LAST_EXPORT_MS = 2_000;

export const isTracingConfigured = (config: Config): boolean =>
  !config.otelDisabled && config.tracesExporter === 'otlp' && (config.otlpEndpoint !== '' || config.otlpTracesEndpoint !== '');

/**
 * Starts OpenTelemetry's SDK where an endpoint is configured; else it is not even loaded (30 MB, and a part of a second).
 * The SDK reads the standard `OTEL_*` settings from the process's environment itself: endpoint, headers, compression,
 * batching, limits, resource. The packages are taken one by one: the one for all of OpenTelemetry brings 68 others. What is sampled is decided before it is asked, see `Tracing`.
 */
export async function startTelemetry(service: keyof typeof SERVICE_NAMES, config: Config, logger: Logger): Promise<Telemetry> {
  if (!isTracingConfigured(config)) return { tracing: undefined, stop: () => Promise.resolve() };
  const api = await import('@opentelemetry/api');
  const sdk = await import('@opentelemetry/sdk-trace-base');
  api.diag.setLogger(createDiagnosticLogger(logger), { logLevel: api.DiagLogLevel.WARN, suppressOverrideMessage: true });
  const sink = new SdkSink(api, () => provider.getTracer(SCOPE_NAME));
  // Registered nowhere: contexts are handed on by hand, and nobody asks for a current one.
  const provider: BasicTracerProvider = new sdk.BasicTracerProvider({
    resource: await describeProcess(service),
    sampler: { shouldSample: () => ({ decision: RECORD_AND_SAMPLE }), toString: () => 'decided before' },
    idGenerator: sink.ids,
    spanProcessors: [new sdk.BatchSpanProcessor(await createExporter(config))],
  });
  logger.info({ sampler: config.tracesSampler, ratio: config.tracesSamplerRatio }, 'traces are exported');
  return {
    tracing: new Tracing(sink, config),
    stop: () => within(LAST_EXPORT_MS, provider.shutdown(), 'the last traces').catch((error: unknown) => reportLoss(logger, error)),
  };
}

async function describeProcess(service: keyof typeof SERVICE_NAMES): Promise<Resource> {
  const { defaultResource, detectResources, envDetector, resourceFromAttributes, serviceInstanceIdDetector } =
    await import('@opentelemetry/resources');
  const ours = resourceFromAttributes({ 'service.name': SERVICE_NAMES[service], 'service.version': PRODUCT_VERSION });
  // `OTEL_SERVICE_NAME` and `OTEL_RESOURCE_ATTRIBUTES` are laid over ours. The detectors for host and process would tell
  // the command line and the user of the host.
  return defaultResource()
    .merge(ours)
    .merge(detectResources({ detectors: [envDetector, serviceInstanceIdDetector] }));
}

/** Endpoint, headers, compression, timeout and certificates it reads from the standard settings itself. */
async function createExporter({ otlpProtocol, otlpTracesProtocol }: Config): Promise<SpanExporter> {
  const { OTLPTraceExporter } =
    (otlpTracesProtocol || otlpProtocol) === 'http/json'
      ? await import('@opentelemetry/exporter-trace-otlp-http')
      : await import('@opentelemetry/exporter-trace-otlp-proto');
  return new OTLPTraceExporter();
}

/** `SamplingDecision.RECORD_AND_SAMPLED` */
const RECORD_AND_SAMPLE = 2;

const reportLoss = (logger: Logger, error: unknown): void =>
  logger.warn({ error: error instanceof Error ? error.message : String(error) }, 'the last traces were not exported');
