/** Uses that make a key warm by themselves, and the time they must come within. */
export const USES_TO_WARM = 3;
const WITHIN_MS = 60_000;
const MAX_KEYS = 1_000;

/** Counts how often keys come back. Bounded: the keys heard of longest ago are forgotten first. */
export class UseCounter {
  private readonly uses = new Map<string, readonly number[]>();

  /** @returns whether this is at least the third use within a minute */
  count(key: string, now = performance.now()): boolean {
    const recent = [...(this.uses.get(key) ?? []).filter((at) => now - at < WITHIN_MS), now].slice(-USES_TO_WARM);
    this.uses.delete(key);
    this.uses.set(key, recent);
    for (const oldest of this.uses.keys()) {
      if (this.uses.size <= MAX_KEYS) break;
      this.uses.delete(oldest);
    }
    return recent.length >= USES_TO_WARM;
  }
}
