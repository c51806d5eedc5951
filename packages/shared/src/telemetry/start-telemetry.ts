import type { Config } from '../config/option-table';
import { within } from '../lifecycle/within';
import type { Logger } from '../logging/create-logger';
import { PRODUCT_VERSION } from '../version';
import { createDiagnosticLogger } from './diagnostic-logger';
import { createIdleContextManager } from './idle-context-manager';
import { SdkSink } from './sdk-sink';
import { SERVICE_NAMES } from './span-names';
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
 * The SDK reads the standard `OTEL_*` settings from the process's environment itself: endpoint, protocol, headers,
 * compression, batching, resource. What is sampled is decided before it is asked, see `Tracing`.
 */
export async function startTelemetry(service: keyof typeof SERVICE_NAMES, config: Config, logger: Logger): Promise<Telemetry> {
  if (!isTracingConfigured(config)) return { tracing: undefined, stop: () => Promise.resolve() };
  const { NodeSDK, resources, api } = await import('@opentelemetry/sdk-node');
  const sink = new SdkSink(api);
  const sdk = new NodeSDK({
    // `OTEL_SERVICE_NAME` and `OTEL_RESOURCE_ATTRIBUTES` are laid over this.
    resource: resources
      .defaultResource()
      .merge(resources.resourceFromAttributes({ 'service.name': SERVICE_NAMES[service], 'service.version': PRODUCT_VERSION })),
    // Those for host and process would tell the command line and the user of the host.
    resourceDetectors: [resources.envDetector, resources.serviceInstanceIdDetector],
    sampler: { shouldSample: () => ({ decision: RECORD_AND_SAMPLE }), toString: () => 'decided before' },
    idGenerator: sink.ids,
    // Contexts are handed on by hand, and metrics and logs are others' matters.
    contextManager: createIdleContextManager(api.ROOT_CONTEXT),
    textMapPropagator: null,
    metricReaders: [],
    logRecordProcessors: [],
  });
  api.diag.setLogger(createDiagnosticLogger(logger), { logLevel: api.DiagLogLevel.WARN, suppressOverrideMessage: true });
  sdk.start();
  logger.info({ sampler: config.tracesSampler, ratio: config.tracesSamplerRatio }, 'traces are exported');
  return {
    tracing: new Tracing(sink, config),
    stop: () => within(LAST_EXPORT_MS, sdk.shutdown(), 'the last traces').catch((error: unknown) => reportLoss(logger, error)),
  };
}

/** `SamplingDecision.RECORD_AND_SAMPLED` */
const RECORD_AND_SAMPLE = 2;

const reportLoss = (logger: Logger, error: unknown): void =>
  logger.warn({ error: error instanceof Error ? error.message : String(error) }, 'the last traces were not exported');
