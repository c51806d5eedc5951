/**
 * Wall clock in milliseconds with fractions, for the times of spans. Between two looks at the system's clock it runs by the
 * monotonic one; where they have come apart by more than a little (the clock was set, the host slept), it follows the system's.
 */
let offsetMs = performance.timeOrigin;

export function traceNowMs(): number {
  const now = performance.now() + offsetMs;
  const apartMs = Date.now() - now;
  if (apartMs < MOST_APART_MS && apartMs > -MOST_APART_MS) return now;
  offsetMs += apartMs;
  return now + apartMs;
}

const MOST_APART_MS = 3;
