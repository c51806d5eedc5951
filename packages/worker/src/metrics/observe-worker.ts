import type { MetricSource, OutcomeStatus, ProcessMetrics } from '@python3-cluster/shared';
import type { WrittenOutcome } from '../jobs/outcome-writer';
import type { Pool } from '../pool/pool';
import type { TemplateKeepers } from '../runner/template-keepers';
import type { WarmChildren } from '../warm/warm-children';

export interface WorkerParts {
  readonly metrics: ProcessMetrics;
  readonly pool: Pool;
  readonly templates: TemplateKeepers;
  readonly warm: WarmChildren;
}

/** What one worker node tells of itself. Answers what is to be told of each outcome it writes. */
export function observeWorker({ metrics, pool, templates, warm }: WorkerParts): (written: WrittenOutcome) => void {
  const outcomes = new Map<string, Map<OutcomeStatus, number>>();
  const source: MetricSource = (report) => {
    const { size, max, inUse, waiting } = pool.stats(true);
    report('slots', inUse, { state: 'in_use' });
    report('slots', size - inUse, { state: 'idle' });
    report('slotsMax', max);
    report('slotsWaiting', waiting);
    for (const { mode, isUp, starts } of templates.states()) {
      report('templatesUp', isUp ? 1 : 0, { mode });
      report('templateStarts', starts, { mode });
    }
    report('warmChildren', warm.size);
    for (const [lane, statuses] of outcomes) for (const [status, count] of statuses) report('outcomesWritten', count, { lane, status });
  };
  metrics.observe(source);
  return ({ target: { lane, kind }, outcome: { status, timings } }) => {
    if (kind === 'check') return;
    let statuses = outcomes.get(lane);
    if (statuses === undefined) outcomes.set(lane, (statuses = new Map<OutcomeStatus, number>()));
    statuses.set(status, (statuses.get(status) ?? 0) + 1);
    if (timings.runMs === 0) return;
    metrics.record('queueDuration', timings.queuedMs / 1_000, { lane });
    metrics.record('runDuration', timings.runMs / 1_000, { lane, status });
    metrics.record('cpuTime', timings.cpuMs / 1_000, { lane });
    metrics.record('memory', timings.maxMemoryBytes, { lane });
  };
}
