import { expect, it } from '@jest/globals';
import { bucketOf, countAbove, countOf, LAST_BUCKET, quantileOf, upperBoundOf } from './histogram-scale';

it.each([
  [0, 0], [-1, 0], [NaN, 0], [0.1, 0], [0.100001, 1], [102.4, 40], [102.5, 41], [3_355_443.2, LAST_BUCKET], [1e300, LAST_BUCKET],
])('%d lies in bucket %d', (value, bucket) => expect(bucketOf(value)).toBe(bucket)); // prettier-ignore

it('every upper bound lies in its own bucket, and what is just above it in the next', () => {
  for (let bucket = 0; bucket < LAST_BUCKET; bucket += 1) {
    expect(bucketOf(upperBoundOf(bucket))).toBe(bucket);
    expect(bucketOf(upperBoundOf(bucket) * 1.0001)).toBe(bucket + 1);
  }
});

it('quantiles of two histograms that are added up are within 10 % of the exact ones', () => {
  const values = Array.from({ length: 5_000 }, (_, index) => 1 + ((index * 7_919) % 5_000) ** 2 / 1_000);
  const buckets = new Map<number, number>();
  for (const part of [values.slice(0, 2_000), values.slice(2_000)])
    for (const value of part) buckets.set(bucketOf(value), (buckets.get(bucketOf(value)) ?? 0) + 1);
  const sorted = values.sort((a, b) => a - b);
  for (const share of [0.1, 0.5, 0.95, 0.99]) {
    const exact = sorted[Math.ceil(share * sorted.length) - 1] as number;
    expect(Math.abs(quantileOf(buckets, share) / exact - 1)).toBeLessThan(0.1);
  }
  expect(countOf(buckets)).toBe(5_000);
  expect(countAbove(buckets, 40)).toBe(values.filter((value) => value > 102.4).length);
});

it('there are no quantiles of nothing', () => expect(quantileOf(new Map(), 0.5)).toBe(0));
