/**
 * One scale for every figure that is kept as a histogram, of whatever unit: bucket 0 takes what is at most 0.1, each next
 * one reaches 2^¼ (19 %) further. Fixed, so that the histograms of all worker nodes, lanes and minutes can be added up.
 *
 *   bucket   0        1         …  40          …  100 (last)
 *   up to    0.1      0.119     …  102.4       …  3,355,443: 56 minutes in ms, 3.2 TB in MB
 */
const LEAST = 0.1;
const STEPS_PER_DOUBLING = 4;
export const LAST_BUCKET = 100;

/** A value a little above a boundary, for all that floating point knows, is on it. */
const TOLERANCE = 1e-9;

export function bucketOf(value: number): number {
  if (!(value > LEAST)) return 0;
  return Math.min(LAST_BUCKET, Math.ceil(STEPS_PER_DOUBLING * Math.log2(value / LEAST) - TOLERANCE));
}

/** The largest value of a bucket. */
export const upperBoundOf = (bucket: number): number => LEAST * 2 ** (bucket / STEPS_PER_DOUBLING);

/** Bucket → how many values it has. */
export type Buckets = ReadonlyMap<number, number>;

export function countOf(buckets: Buckets): number {
  let count = 0;
  for (const values of buckets.values()) count += values;
  return count;
}

/**
 * The value below which the given share (0 to 1) of all values lies, taken as evenly spread within their bucket, so at
 * most 19 % off, and mostly far less; 0 where there are none.
 */
export function quantileOf(buckets: Buckets, share: number): number {
  const wanted = share * countOf(buckets);
  let below = 0;
  for (const [bucket, values] of [...buckets].sort(([a], [b]) => a - b)) {
    if (values > 0 && below + values >= wanted) {
      const lower = bucket === 0 ? 0 : upperBoundOf(bucket - 1);
      return lower + (upperBoundOf(bucket) - lower) * Math.max(0, (wanted - below) / values);
    }
    below += values;
  }
  return 0;
}

/** How many values are above the upper bound of a bucket. */
export function countAbove(buckets: Buckets, bucket: number): number {
  let count = 0;
  for (const [index, values] of buckets) if (index > bucket) count += values;
  return count;
}
