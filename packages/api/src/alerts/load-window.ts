/** How long it looks back, and the least it must have seen to say anything. */
export const LOAD_WINDOW_MS = 60_000;
export const LOAD_LEAST_MS = 30_000;

/** How much of the pool was in use over the last minute. Every replica keeps one, so that whoever is elected knows. */
export class LoadWindow {
  private samples: { readonly at: number; readonly share: number }[] = [];

  /** A share of all slots in use, 0 to 1. */
  add(share: number, now = performance.now()): void {
    this.samples.push({ at: now, share });
    this.samples = this.samples.filter(({ at }) => now - at <= LOAD_WINDOW_MS);
  }

  /** The mean; undefined where too little was seen. */
  mean(now = performance.now()): number | undefined {
    const [oldest] = this.samples;
    if (oldest === undefined || now - oldest.at < LOAD_LEAST_MS) return undefined;
    return this.samples.reduce((sum, { share }) => sum + share, 0) / this.samples.length;
  }
}
