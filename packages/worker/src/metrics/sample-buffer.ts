import {
  bucketOf, defineAddSamples, MEASURES, SUM_FRACTION,
  type Logger, type Measure, type RedisKeys, type SampleBatch,
} from '@python3-cluster/shared'; // prettier-ignore
import type { Redis } from 'ioredis';
import type { WrittenOutcome } from '../jobs/outcome-writer';

const FLUSH_MS = 1_000;

/** Programs and callers of one lane between two flushes; more could not be counted for themselves anyway. */
const MOST_SUFFIXES = 400;

interface Samples {
  readonly buckets: Map<number, number>;
  sum: number;
  least: number;
  most: number;
}

type Measured = Readonly<Record<Measure, number>>;

export interface SampleBufferOptions {
  readonly redis: Redis;
  readonly keys: RedisKeys;
  readonly workerId: string;
  readonly logger: Logger;
}

/**
 * Times and memory of the jobs that ended here, on their way to the lane's histograms in Redis:
 *
 *   outcome written ─▶ buckets in memory ──every second, one command per lane──▶ addSamples
 *
 * Counts do not go this way (`tally-scripts.ts`): what is lost with a node that goes down is a second of percentiles.
 */
export class SampleBuffer {
  private readonly options: SampleBufferOptions;
  /** Lane → key suffix, '' for the lane itself → samples of each measure. */
  private lanes = new Map<string, Map<string, Record<Measure, Samples>>>();
  private sequence = 0;
  private timer: NodeJS.Timeout | undefined;

  constructor(options: SampleBufferOptions) {
    this.options = options;
    defineAddSamples(options.redis);
  }

  start(): void {
    this.timer = setInterval(() => void this.flush(), FLUSH_MS);
  }

  /** Writes what is left. */
  async stop(): Promise<void> {
    clearInterval(this.timer);
    await this.flush();
  }

  /** Takes an outcome that was written. What did not run has no times. */
  add({ target, outcome: { timings } }: WrittenOutcome): void {
    if (timings.runMs === 0 || target.kind === 'check') return;
    const { queuedMs, runMs, cpuMs, maxMemoryBytes } = timings;
    const measured = { queued: queuedMs, run: runMs, cpu: cpuMs, memory: maxMemoryBytes / 1_048_576 };
    let lane = this.lanes.get(target.lane);
    if (lane === undefined) this.lanes.set(target.lane, (lane = new Map<string, Record<Measure, Samples>>()));
    addTo(lane, '', measured);
    if (target.owner !== '') addTo(lane, `caller:${target.owner}`, measured);
    if (target.program !== undefined) addTo(lane, `program:${target.program}`, measured);
  }

  private async flush(): Promise<void> {
    const { redis, keys, workerId, logger } = this.options;
    if (this.lanes.size === 0 || redis.status !== 'ready') return;
    const { lanes } = this;
    this.lanes = new Map();
    const sequence = String((this.sequence += 1));
    const writes = [...lanes].map(([lane, samples]) =>
      redis.addSamples(keys.counts(lane), keys.queuePrefix(lane), JSON.stringify(toBatch(samples)), keys.samplesMark(lane, workerId), sequence),
    ); // prettier-ignore
    for (const { status } of await Promise.allSettled(writes))
      if (status === 'rejected') logger.debug('a second of samples was not written');
  }
}

function addTo(lane: Map<string, Record<Measure, Samples>>, suffix: string, measured: Measured): void {
  let samples = lane.get(suffix);
  if (samples === undefined) {
    if (lane.size > MOST_SUFFIXES) return;
    lane.set(suffix, (samples = { queued: empty(), run: empty(), cpu: empty(), memory: empty() }));
  }
  for (const measure of MEASURES) {
    const value = measured[measure];
    const into = samples[measure];
    const bucket = bucketOf(value);
    const scaled = Math.round(value * SUM_FRACTION);
    into.buckets.set(bucket, (into.buckets.get(bucket) ?? 0) + 1);
    into.sum += scaled;
    if (scaled < into.least) into.least = scaled;
    if (scaled > into.most) into.most = scaled;
  }
}

const empty = (): Samples => ({ buckets: new Map(), sum: 0, least: Infinity, most: -Infinity });

const toBatch = (lane: ReadonlyMap<string, Readonly<Record<Measure, Samples>>>): SampleBatch =>
  [...lane].map(([suffix, samples]) => {
    const fields: (string | number)[] = [];
    const ranges: (string | number)[] = [];
    for (const measure of MEASURES) {
      const { buckets, sum, least, most } = samples[measure];
      for (const [bucket, count] of buckets) fields.push(`${measure}:${bucket}`, count);
      fields.push(`${measure}:sum`, sum);
      ranges.push(measure, least, most);
    }
    return [suffix, fields, ranges];
  });
