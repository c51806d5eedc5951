/** Far enough apart that one job more or less is not seen as a jump. */
const WINDOW_MS = 5_000;

/** Jobs per second over the last seconds, from how many there were in all at the times they were read. */
export class RateMeter {
  private readings: { readonly at: number; readonly total: number }[] = [];

  /** @returns undefined until there are two readings to compare. */
  add(at: number, total: number): number | undefined {
    const last = this.readings.at(-1);
    // Another store, or an older reading of another replica.
    if (last !== undefined && total < last.total) this.readings = [];
    if (last === undefined || at > last.at) this.readings.push({ at, total });
    while (this.readings.length > 2 && at - (this.readings[1]?.at ?? at) >= WINDOW_MS) this.readings.shift();
    const [first] = this.readings;
    const latest = this.readings.at(-1);
    if (first === undefined || latest === undefined || first === latest) return undefined;
    return ((latest.total - first.total) * 1_000) / (latest.at - first.at);
  }
}
