import type { Attributes, Histogram, Meter, Observable } from '@opentelemetry/api';
import { metricTable, type MetricDefinition, type MetricKey } from './metric-table';

export type MetricLabels = Attributes;

/** Tells the value of a counter or gauge, for as many sets of labels as there are. */
export type Report = (metric: MetricKey, value: number, labels?: Attributes) => void;

/** Asked at each collection. What it throws costs its own metrics only. */
export type MetricSource = (report: Report) => void | Promise<void>;

export interface Instruments {
  readonly record: (metric: MetricKey, value: number, labels: Attributes) => void;
}

/**
 * The one set of instruments of a process, whatever collects them. Counters and gauges are observed: whoever counts keeps
 * plain numbers, or they stand in the store, and nothing is paid for them between collections. Histograms are recorded.
 */
export function createInstruments(meter: Meter, kinds: readonly MetricDefinition['from'][], sources: readonly MetricSource[]): Instruments {
  const histograms = new Map<MetricKey, Histogram>();
  const observables = new Map<MetricKey, Observable>();
  for (const [key, definition] of Object.entries(metricTable) as [MetricKey, MetricDefinition][]) {
    if (!kinds.includes(definition.from)) continue;
    const { name, unit, description, boundaries } = definition;
    const options = { unit, description };
    if (definition.type === 'histogram')
      histograms.set(key, meter.createHistogram(name, { ...options, advice: { explicitBucketBoundaries: [...(boundaries ?? [])] } }));
    else
      observables.set(key, definition.type === 'counter' ? meter.createObservableCounter(name, options) : meter.createObservableGauge(name, options));
  } // prettier-ignore
  for (const source of sources)
    meter.addBatchObservableCallback((result) => source(reportTo(result, observables)), [...observables.values()]);
  return { record: (metric, value, labels) => histograms.get(metric)?.record(value, labels) };
}

interface BatchResult {
  observe(metric: Observable, value: number, attributes?: Attributes): void;
}

const reportTo =
  (result: BatchResult, observables: ReadonlyMap<MetricKey, Observable>): Report =>
  (metric, value, labels) => {
    const observable = observables.get(metric);
    if (observable !== undefined && Number.isFinite(value)) result.observe(observable, value, labels);
  };
