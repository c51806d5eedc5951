/**
 * What a server's clock can show now, from what it showed at moments that lie between a question and its answer. Each sample bounds the
 * difference to this process' own clock from both sides; all together are as good as the quickest answer. A sample that does not fit means
 * that the clock was set, or that it is another server's: then it alone counts.
 */
export class RedisClock {
  private least = -Infinity;
  private most = Infinity;

  /** `serverMs`: epoch milliseconds; the others by `performance.now()`. */
  add(serverMs: number, askedAt: number, answeredAt: number): void {
    const [least, most] = [serverMs - answeredAt, serverMs + 1 - askedAt];
    const isOther = least > this.most || most < this.least;
    this.least = isOther ? least : Math.max(this.least, least);
    this.most = isOther ? most : Math.min(this.most, most);
  }

  get isKnown(): boolean {
    return this.least !== -Infinity;
  }

  /** The earliest it can show after so many milliseconds; undefined before the first sample. */
  earliestIn(milliseconds: number): number | undefined {
    return this.isKnown ? Math.floor(performance.now() + milliseconds + this.least) : undefined;
  }
}
