import { MEASURES, OUTCOME_STATUSES, SUM_FRACTION, type Measure, type OutcomeStatus } from '@python3-cluster/shared';

/** One hash of counters, read; what its fields are: `shared/src/metrics/tally-scripts.ts`. */
export interface Counts {
  accepted: number;
  withdrawn: number;
  /** They are no jobs. */
  syntaxChecks: number;
  /** Kind → status → jobs. */
  readonly kinds: Map<string, StatusCounts>;
  /** Worker node → status → jobs; only in those of a minute. */
  readonly workers: Map<string, StatusCounts>;
  readonly errors: Map<string, number>;
  readonly samples: Record<Measure, SampleCounts>;
}

export type StatusCounts = Partial<Record<OutcomeStatus, number>>;

export interface SampleCounts {
  readonly buckets: Map<number, number>;
  /** In ms or MB. */
  sum: number;
  /** Only since the store began. */
  least: number | undefined;
  most: number | undefined;
}

const noSamples = (): SampleCounts => ({ buckets: new Map(), sum: 0, least: undefined, most: undefined });

export const createCounts = (): Counts => ({
  accepted: 0, withdrawn: 0, syntaxChecks: 0, kinds: new Map(), workers: new Map(), errors: new Map(),
  samples: { queued: noSamples(), run: noSamples(), cpu: noSamples(), memory: noSamples() },
}); // prettier-ignore

/** Of names and values as Redis gives a hash. Whatever is no counter is passed over: anybody may have written it. */
export function parseCounts(flat: readonly string[]): Counts {
  const counts = createCounts();
  for (let index = 0; index + 1 < flat.length; index += 2) {
    const value = Number(flat[index + 1]);
    if (Number.isFinite(value) && value >= 0) takeField(counts, flat[index] ?? '', value);
  }
  return counts;
}

function takeField(counts: Counts, field: string, value: number): void {
  const [first = '', second = '', third = ''] = field.split(':', 3);
  if (field === 'accepted' || field === 'withdrawn') counts[field] += value;
  else if (first === 'error') raise(counts.errors, field.slice('error:'.length), value);
  else if (first === 'jobs' && second === 'check') counts.syntaxChecks += value;
  else if (first === 'jobs') {
    const status = OUTCOME_STATUSES.find((known) => known === third);
    if (status === undefined) return;
    raiseStatus(counts.kinds, second, status, value);
    const worker = field.slice(`jobs:${second}:${third}:`.length);
    if (worker !== '') raiseStatus(counts.workers, worker, status, value);
  } else {
    const measure = MEASURES.find((known) => known === first);
    if (measure !== undefined) takeSample(counts.samples[measure], second, value);
  }
}

function takeSample(samples: SampleCounts, name: string, value: number): void {
  if (name === 'sum') samples.sum += value / SUM_FRACTION;
  else if (name === 'min') samples.least = value / SUM_FRACTION;
  else if (name === 'max') samples.most = value / SUM_FRACTION;
  else if (/^\d{1,3}$/.test(name)) raise(samples.buckets, Number(name), value);
}

function raise<K>(map: Map<K, number>, key: K, by: number): void {
  map.set(key, (map.get(key) ?? 0) + by);
}

function raiseStatus(map: Map<string, StatusCounts>, key: string, status: OutcomeStatus, by: number): void {
  const statuses = map.get(key) ?? {};
  statuses[status] = (statuses[status] ?? 0) + by;
  map.set(key, statuses);
}

/** Adds the second to the first, each of its counters by a share of it: part of a minute. */
export function addCounts(into: Counts, counts: Counts, share = 1): void {
  into.accepted += counts.accepted * share;
  into.withdrawn += counts.withdrawn * share;
  into.syntaxChecks += counts.syntaxChecks * share;
  for (const [error, count] of counts.errors) raise(into.errors, error, count * share);
  for (const family of ['kinds', 'workers'] as const)
    for (const [key, statuses] of counts[family])
      for (const [status, count] of Object.entries(statuses)) raiseStatus(into[family], key, status as OutcomeStatus, count * share);
  for (const measure of MEASURES) {
    const target = into.samples[measure];
    const { buckets, sum, least, most } = counts.samples[measure];
    for (const [bucket, count] of buckets) raise(target.buckets, bucket, count * share);
    target.sum += sum * share;
    target.least = smaller(target.least, least);
    target.most = larger(target.most, most);
  }
}

const smaller = (a: number | undefined, b: number | undefined): number | undefined => (a === undefined ? b : Math.min(a, b ?? a));
const larger = (a: number | undefined, b: number | undefined): number | undefined => (a === undefined ? b : Math.max(a, b ?? a));
