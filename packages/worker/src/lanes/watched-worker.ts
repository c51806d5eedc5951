import { Worker, type Job, type JobJson, type Processor, type WorkerOptions } from 'bullmq';

/**
 * BullMQ's worker, telling when it had asked for the locks that it then renewed. Its event `locksRenewed` comes with the
 * answer, which may have been on its way for long; the lock's time runs from no earlier than the question.
 *
 * And seeing to it that a job which went back and is handed out again at once, to another of this worker's loops, is not
 * begun before the first one is through with it: BullMQ's last act for a job is to stop renewing its lock, by the job's
 * id, which would be the second run's.
 *
 * And not failing over an entry whose data is no JSON: it would fail over it again and again.
 */
export class WatchedWorker<T> extends Worker<T> {
  private readonly onRenewed: (jobIds: readonly string[], askedAt: number) => void;
  private readonly handled = new Map<string, Promise<void | Job<T>>>();

  constructor(
    onRenewed: (jobIds: readonly string[], askedAt: number) => void,
    name: string,
    processor: Processor<T>,
    options: WorkerOptions,
  ) {
    super(name, processor, options);
    this.onRenewed = onRenewed;
  }

  protected override createJob(data: JobJson, jobId: string): Job<T> {
    try {
      return super.createJob(data, jobId);
    } catch {
      return super.createJob({ ...data, data: 'null' }, jobId);
    }
  }

  override async processJob(job: Job<T>, token: string, fetchNext?: () => boolean): Promise<void | Job<T>> {
    const { id = '' } = job;
    await this.handled.get(id)?.catch(() => undefined);
    const handling = super.processJob(job, token, fetchNext);
    this.handled.set(id, handling);
    try {
      return await handling;
    } finally {
      if (this.handled.get(id) === handling) this.handled.delete(id);
    }
  }

  override async extendJobLocks(jobIds: string[], tokens: string[], duration: number): Promise<string[]> {
    const askedAt = performance.now();
    const lost = await super.extendJobLocks(jobIds, tokens, duration);
    const renewed = jobIds.filter((jobId) => !lost.includes(jobId));
    this.onRenewed(renewed, askedAt);
    return lost;
  }
}
