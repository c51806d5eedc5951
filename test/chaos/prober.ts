import { runJob } from '../support/call';
import type { TestCluster } from '../support/test-cluster';
import { pause } from '../support/pause';

/** Asks a small question over and over, through the last replica, to see when answers come again. */
export class Prober {
  private readonly answers: { readonly sentAt: number; readonly answeredAt: number }[] = [];
  private isStopping = false;
  private readonly done: Promise<void>;

  constructor(private readonly cluster: TestCluster) {
    this.done = this.probe();
  }

  async stop(): Promise<void> {
    this.isStopping = true;
    await this.done;
  }

  /** Resolves when a question that was sent after this moment is answered, or after the time. */
  async answered(after: number, timeoutMs: number): Promise<void> {
    const deadline = Date.now() + timeoutMs;
    for (let ms = this.recoveryMs(after); ms === Infinity && Date.now() < deadline; ms = this.recoveryMs(after)) await pause(20);
  }

  /** From that moment to the first answer to a question sent after it. */
  recoveryMs(after: number): number {
    const first = this.answers.find(({ sentAt }) => sentAt >= after);
    return first ? first.answeredAt - after : Infinity;
  }

  private async probe(): Promise<void> {
    while (!this.isStopping) {
      const sentAt = Date.now();
      const replica = this.cluster.ports.length - 1;
      const answer = await runJob(this.cluster, { code: 'result = 1' }, { replica }).catch(() => undefined);
      if (answer?.json?.outcome?.value === 1) this.answers.push({ sentAt, answeredAt: Date.now() });
      await pause(100);
    }
  }
}
