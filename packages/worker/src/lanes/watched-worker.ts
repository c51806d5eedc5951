import { Worker, type Processor, type WorkerOptions } from 'bullmq';

/**
 * BullMQ's worker, telling when it had asked for the locks that it then renewed. Its event `locksRenewed` comes with the
 * answer, which may have been on its way for long; the lock's time runs from no earlier than the question.
 */
export class WatchedWorker<T> extends Worker<T> {
  private readonly onRenewed: (jobIds: readonly string[], askedAt: number) => void;

  constructor(
    onRenewed: (jobIds: readonly string[], askedAt: number) => void,
    name: string,
    processor: Processor<T>,
    options: WorkerOptions,
  ) {
    super(name, processor, options);
    this.onRenewed = onRenewed;
  }

  override async extendJobLocks(jobIds: string[], tokens: string[], duration: number): Promise<string[]> {
    const askedAt = performance.now();
    const lost = await super.extendJobLocks(jobIds, tokens, duration);
    const renewed = jobIds.filter((jobId) => !lost.includes(jobId));
    this.onRenewed(renewed, askedAt);
    return lost;
  }
}
