import type { PrometheusSerializer } from '@opentelemetry/exporter-prometheus';
import type { MetricData, ResourceMetrics } from '@opentelemetry/sdk-metrics';
import { prometheusNameOf } from './metric-table';

/** The names Prometheus expects: OpenTelemetry's serializer leaves the unit out. */
export function toPrometheusText(serializer: PrometheusSerializer, metrics: ResourceMetrics): string {
  const scopeMetrics = metrics.scopeMetrics.map((scope) => ({
    ...scope,
    metrics: scope.metrics.filter(({ dataPoints }) => dataPoints.length > 0).map(rename),
  }));
  return serializer.serialize({ ...metrics, scopeMetrics });
}

function rename(metric: MetricData): MetricData {
  const { name, unit } = metric.descriptor;
  const isCounter = 'isMonotonic' in metric && metric.isMonotonic;
  const prometheusName = prometheusNameOf({ name, unit, type: isCounter ? 'counter' : 'gauge' });
  return { ...metric, descriptor: { ...metric.descriptor, name: prometheusName, unit: '' } };
}
