import { OtlpReceiver } from './otlp-receiver';
import { TestCluster } from './test-cluster';

export interface TracedCluster {
  readonly receiver: OtlpReceiver;
  readonly cluster: TestCluster;
  stop(): Promise<void>;
}

/** Two worker nodes whose spans come to a receiver of the test's, soon. */
export async function startTracedCluster(settings: Record<string, string> = {}): Promise<TracedCluster> {
  const receiver = await OtlpReceiver.start();
  const cluster = await TestCluster.start({
    workers: 2,
    settings: {
      OTEL_EXPORTER_OTLP_ENDPOINT: receiver.endpoint,
      OTEL_BSP_SCHEDULE_DELAY: '50',
      OTEL_EXPORTER_OTLP_TIMEOUT: '1000',
      PYTHON3_POOL_MAX: '3',
      ...settings,
    },
  });
  const stop = async (): Promise<void> => {
    await cluster.stop();
    await receiver.stop();
  };
  return { receiver, cluster, stop };
}
