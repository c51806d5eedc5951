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
