/** How many failed traces may be exported although they were not sampled: so many a second, none saved up. */
export class FailureAllowance {
  private readonly perSecond: number;
  private secondBegan = -Infinity;
  private used = 0;

  constructor(perSecond: number) {
    this.perSecond = perSecond;
  }

  /** Whether there is room for one more; if so, it is taken. */
  take(nowMs = performance.now()): boolean {
    if (nowMs - this.secondBegan >= 1_000) {
      this.secondBegan = nowMs;
      this.used = 0;
    }
    if (this.used >= this.perSecond) return false;
    this.used += 1;
    return true;
  }
}
