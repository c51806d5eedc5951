import type { Attributes } from '@opentelemetry/api';
import type { Config } from '../config/option-table';
import { within } from '../lifecycle/within';
import type { Instruments, MetricSource } from './instruments';
import { loadMetrics, type LoadedMetrics, type ProcessMetricsOptions } from './load-metrics';
import type { MetricDefinition, MetricKey } from './metric-table';
import { observeProcess } from './observe-process';

/** The longest a stopping process waits for a collector. */
const LAST_EXPORT_MS = 2_000;

export const isMetricsExportConfigured = (config: Config): boolean =>
  !config.otelDisabled && config.metricsExporter === 'otlp' && (config.otlpEndpoint !== '' || config.otlpMetricsEndpoint !== '');

/**
 * A process's metrics. OpenTelemetry's SDK takes a third of a second of CPU and 20 MB, so it is loaded when somebody first
 * asks: at the first scrape, or at the start where an OTLP endpoint is configured. Until then `record` does nothing.
 *
 *   sources (plain numbers, the store) ──at each collection──▶ instruments ──▶ Prometheus text
 *   record (histograms) ─────────────────────────────────────▶     └─────────▶ OTLP, by the clock
 */
export class ProcessMetrics {
  private readonly options: ProcessMetricsOptions;
  private readonly sources: MetricSource[] = [];
  private instruments: Instruments | undefined;
  private loading: Promise<LoadedMetrics> | undefined;

  constructor(options: ProcessMetricsOptions) {
    this.options = options;
  }

  /** Before anything is loaded. */
  observe(source: MetricSource): void {
    this.sources.push(source);
  }

  /** Costs nothing while nobody collects. */
  record(metric: MetricKey, value: number, labels: Attributes): void {
    this.instruments?.record(metric, value, labels);
  }

  /** Loads the SDK at once where metrics are pushed, or if told to: where nobody waits for the loop yet. */
  async start({ load = false } = {}): Promise<void> {
    if (load || isMetricsExportConfigured(this.options.config)) await this.load();
  }

  async toPrometheus(): Promise<string> {
    const { collect } = await this.load();
    return collect();
  }

  /** Pushes what is left, as far as the collector takes it in time. Never throws. */
  async stop(): Promise<void> {
    if (this.loading === undefined) return;
    const stop = async (): Promise<void> => (await this.loading)?.stop();
    await within(LAST_EXPORT_MS, stop(), 'the last metrics').catch((error: unknown) =>
      this.options.logger.warn({ error: String(error) }, 'the last metrics were not exported'),
    );
  }

  private load(): Promise<LoadedMetrics> {
    this.loading ??= this.loadOnce();
    return this.loading;
  }

  private async loadOnce(): Promise<LoadedMetrics> {
    const { service, config } = this.options;
    const kinds: MetricDefinition['from'][] = service === 'api' ? ['cluster', 'api', 'process'] : ['worker', 'process'];
    const process = observeProcess();
    const loaded = await loadMetrics({
      ...this.options, kinds, sources: [...this.sources, process.source], pushes: isMetricsExportConfigured(config),
    }); // prettier-ignore
    this.instruments = loaded.instruments;
    return {
      ...loaded,
      stop: async () => {
        process.stop();
        await loaded.stop();
      },
    };
  }
}
