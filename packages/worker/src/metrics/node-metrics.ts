import { ProcessMetrics, within, type Config } from '@python3-cluster/shared';
import type { WrittenOutcome } from '../jobs/outcome-writer';
import { MetricsListener } from './metrics-listener';
import { observeWorker, type WorkerParts } from './observe-worker';
import { SampleBuffer, type SampleBufferOptions } from './sample-buffer';

export interface NodeMetricsOptions extends SampleBufferOptions, Omit<WorkerParts, 'metrics'> {
  readonly config: Config;
}

/** A Redis that hangs must not keep the node from stopping. */
const LAST_SAMPLES_MS = 1_000;

/** All that a worker node measures: for the store, for whoever scrapes it, for whom it pushes to. */
export class NodeMetrics {
  private readonly config: Config;
  private readonly metrics: ProcessMetrics;
  private readonly samples: SampleBuffer;
  private readonly listener: MetricsListener;
  private readonly count: (written: WrittenOutcome) => void;

  constructor(options: NodeMetricsOptions) {
    const { config, workerId, logger } = options;
    this.config = config;
    this.metrics = new ProcessMetrics({ service: 'worker', instanceId: workerId, config, logger });
    this.samples = new SampleBuffer(options);
    this.listener = new MetricsListener({ config, metrics: this.metrics, logger });
    this.count = observeWorker({ ...options, metrics: this.metrics });
  }

  /** Takes an outcome that was written. */
  take(written: WrittenOutcome): void {
    this.samples.add(written);
    this.count(written);
  }

  /** Before jobs are fetched: loading what collects takes the event loop a while. @throws ClusterError PORT_IN_USE */
  async start(): Promise<void> {
    await this.metrics.start({ load: this.config.workerMetricsPort !== 0 });
    await this.listener.start();
    this.samples.start();
  }

  /** After the last outcome, while Redis is there. */
  async stop(): Promise<void> {
    await within(LAST_SAMPLES_MS, this.samples.stop(), 'Redis').catch(() => undefined);
    await this.listener.stop();
    await this.metrics.stop();
  }
}
