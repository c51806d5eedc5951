import type { Config } from '../config/option-table';
import { FailureAllowance } from './failure-allowance';
import type { RecordedSpan } from './recorded-span';
import { createSampler, type Sampler } from '../trace-context/sampler';
import { ATTRIBUTES } from './span-names';

/** Takes spans to be exported; never waits, never throws. */
export interface SpanSink {
  readonly export: (traceId: string, spans: readonly RecordedSpan[]) => void;
}

/**
 * What a process does with the spans it records:
 *
 *   recorded ──sampled──────────────────────────────▶ exported
 *       └──not sampled──failed, within the allowance──▶ exported, marked so
 *                            └──────else────────────▶ dropped
 *
 * There is none where no endpoint is configured: then nothing is recorded either.
 */
export class Tracing {
  readonly isSampled: Sampler;
  private readonly failures: FailureAllowance;
  private readonly sink: SpanSink;

  constructor(sink: SpanSink, config: Pick<Config, 'tracesSampler' | 'tracesSamplerRatio' | 'traceFailedPerSecond'>) {
    this.sink = sink;
    this.isSampled = createSampler(config.tracesSampler, config.tracesSamplerRatio);
    this.failures = new FailureAllowance(config.traceFailedPerSecond);
  }

  /** Whether a failed trace that is not sampled may be exported. Ask once per trace; the answer uses the allowance up. */
  admitFailure(): boolean {
    return this.failures.take();
  }

  export(traceId: string, spans: readonly RecordedSpan[]): void {
    this.sink.export(traceId, spans);
  }

  /** For a trace that nobody sampled; see `admitFailure`. */
  exportUnsampled(traceId: string, spans: readonly RecordedSpan[]): void {
    for (const span of spans) span.attributes[ATTRIBUTES.unsampled] = true;
    this.sink.export(traceId, spans);
  }
}
