import { hasErrorCode, type OutcomeParts } from '@python3-cluster/shared';

export interface ExpectedReplyOptions {
  readonly lookUp: () => Promise<OutcomeParts | undefined>;
  readonly onCancel: () => void;
}

/** One caller's wait for one job. */
export class ExpectedReply {
  readonly jobId: string;
  private readonly options: ExpectedReplyOptions;
  private checking: Promise<void> | undefined;
  private readonly since = performance.now();
  private readonly settled: Promise<OutcomeParts | undefined>;
  private resolve!: (parts: OutcomeParts | undefined) => void;
  private reject!: (error: unknown) => void;

  constructor(jobId: string, options: ExpectedReplyOptions) {
    this.jobId = jobId;
    this.options = options;
    this.settled = new Promise((resolve, reject) => {
      this.resolve = resolve;
      this.reject = reject;
    });
    // the outcome may prove forged before anybody waits for it
    this.settled.catch(() => undefined);
  }

  get waitedMs(): number {
    return performance.now() - this.since;
  }

  /**
   * The outcome, or undefined if it has not come after `timeoutMs` (a last look into the record included) or the wait was
   * given up. May be called again to wait longer.
   * @throws ClusterError OUTCOME_UNVERIFIED
   */
  async within(timeoutMs: number): Promise<OutcomeParts | undefined> {
    let timer: NodeJS.Timeout | undefined;
    const isInTime = await new Promise<boolean>((resolve) => {
      timer = setTimeout(() => resolve(false), Math.max(0, timeoutMs));
      const onSettled = (): void => resolve(true);
      this.settled.then(onSettled, onSettled);
    });
    clearTimeout(timer);
    if (!isInTime) {
      await this.check();
      return Promise.race([this.settled, Promise.resolve(undefined)]);
    }
    return this.settled;
  }

  /** Looks into the record; a large outcome takes its time, and is read once. That Redis is away is no answer: the wait goes on. */
  check(): Promise<void> {
    this.checking ??= this.look().finally(() => (this.checking = undefined));
    return this.checking;
  }

  private async look(): Promise<void> {
    try {
      const parts = await this.options.lookUp();
      if (parts !== undefined) this.settle(parts);
    } catch (error) {
      if (hasErrorCode(error, 'OUTCOME_UNVERIFIED')) this.reject(error);
    }
  }

  settle(parts: OutcomeParts): void {
    this.resolve(parts);
  }

  giveUp(): void {
    this.resolve(undefined);
  }

  /** To be called when the caller no longer waits, whatever the reason. */
  cancel(): void {
    this.options.onCancel();
    this.resolve(undefined);
  }
}
