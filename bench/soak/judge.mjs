// Whether a run's figures stay flat. The rule, for each figure, over the last two thirds of its samples (the first third is
// warming up: caches fill, the heap finds its size):
//
//   growth   the median slope between any two samples (Theil–Sen: a few outliers do not move it) times the time looked at
//            is at most 10 % of the median, or what is too little to say anything (`slack`)
//   peak     the highest sample is at most 1.5 times the median, plus the slack
//
// Figures that grow until what is kept expires are looked at from then on (`settlesAfterMs`), and not at all before.

const WARM_UP_SHARE = 1 / 3;
const MOST_GROWTH = 0.1;
const MOST_PEAK = 1.5;
const LEAST_SAMPLES = 6;
const MEBIBYTE = 1_048_576;

export const KINDS = {
  bytes: { slack: 16 * MEBIBYTE },
  storedBytes: { slack: 2 * MEBIBYTE },
  descriptors: { slack: 10 },
  processes: { slack: 4 },
  keys: { slack: 200 },
};

/**
 * @param run `{ figures: [{ name, kind, settlesAfterMs?, samples: [[ms since the start, number], …] }] }`
 * @returns `{ isFlat, findings: [{ name, verdict: 'flat' | 'grows' | 'peaks' | 'not judged', median, growth, max }] }`
 */
export function judge({ figures }) {
  const findings = figures.map(judgeFigure);
  const judged = findings.filter(({ verdict }) => verdict !== 'not judged');
  return { isFlat: judged.length > 0 && judged.every(({ verdict }) => verdict === 'flat'), findings };
}

function judgeFigure({ name, kind, settlesAfterMs = 0, samples }) {
  const { slack } = KINDS[kind];
  const settled = samples.filter(([at]) => at >= settlesAfterMs);
  const kept = settled.slice(Math.floor(settled.length * WARM_UP_SHARE));
  if (kept.length < LEAST_SAMPLES) return { name, kind, verdict: 'not judged' };
  const values = kept.map(([, value]) => value);
  const middle = medianOf(values);
  const growth = medianSlope(kept) * (kept.at(-1)[0] - kept[0][0]);
  const max = Math.max(...values);
  return { name, kind, verdict: verdictOf({ growth, max, middle, slack }), median: middle, growth, max };
}

function verdictOf({ growth, max, middle, slack }) {
  if (growth > Math.max(MOST_GROWTH * middle, slack)) return 'grows';
  return max > MOST_PEAK * middle + slack ? 'peaks' : 'flat';
}

function medianSlope(samples) {
  const slopes = [];
  for (const [index, [at, value]] of samples.entries()) {
    for (const [laterAt, laterValue] of samples.slice(index + 1)) if (laterAt > at) slopes.push((laterValue - value) / (laterAt - at));
  }
  return slopes.length === 0 ? 0 : medianOf(slopes);
}

function medianOf(numbers) {
  const sorted = [...numbers].sort((one, other) => one - other);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}
