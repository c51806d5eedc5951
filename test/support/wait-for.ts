/** Polls a number until it has been the same for a while, and gives it: what was to come has come. */
export function waitForQuiet(words: string, read: () => number, quietMs: number): Promise<number> {
  let [last, since] = [read(), performance.now()];
  return waitFor(words, () => {
    const now = read();
    if (now !== last) [last, since] = [now, performance.now()];
    return performance.now() - since >= quietMs && { now };
  }).then(({ now }) => now);
}

/** Polls a condition until it gives something truthy; fails with its words after the time. Never sleeps blindly. */
export async function waitFor<T>(
  words: string,
  condition: () => Promise<T | undefined | false> | T | undefined | false,
  timeoutMs = 20_000,
): Promise<T> {
  const deadline = Date.now() + timeoutMs;
  for (;;) {
    const value = await condition();
    if (value !== undefined && value !== false) return value;
    if (Date.now() > deadline) throw new Error(`waited ${timeoutMs} ms in vain for: ${words}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
