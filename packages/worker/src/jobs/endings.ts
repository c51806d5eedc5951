import type { Redis } from 'ioredis';
import type { KeyRing, Logger, OutcomeParts, RedisKeys, TakeVerdict } from '@python3-cluster/shared';
import type { JobTrace } from './job-trace';
import type { Closing } from './admit-job';
import type { EndedRun, RunnableJob } from './attempts';
import { rejected, stopped, type Verdict } from './judge-run';
import { readLastEnd } from './last-end';
import { targetOf, type JobTarget } from './outcome-target';
import type { OutcomeWriter } from './outcome-writer';
import { DONE, type Processed } from './processed';
import type { ReceivedJob } from './received-job';
import { retryLater } from './retry-later';
import { takeJob, UNREADABLE_ATTEMPTS, type TakenJob } from './take-job';
import type { RejectionCode } from './verify-job';

export interface EndingTools {
  readonly redis: Redis;
  readonly keys: RedisKeys;
  readonly keyRing: KeyRing;
  readonly outcomes: OutcomeWriter;
  readonly workerId: string;
  readonly logger: Logger;
}

/** Makes outcomes of what became of a job. The record has the last word on which one counts. */
export class Endings {
  private readonly tools: EndingTools;

  constructor(tools: EndingTools) {
    this.tools = tools;
  }

  /** Ends a job without running it (again). */
  async close(received: ReceivedJob, { target, rules, verdict }: Closing, trace: JobTrace): Promise<Processed> {
    return this.settle(received, target, await takeJob(this.tools, received, rules, 'close'), verdict, trace);
  }

  /** Ends a job whose record says that it must not start again. */
  exhaust({ received, job, programId, trace }: RunnableJob, taken: TakenJob): Promise<Processed> {
    return this.settle(received, targetOf(job, programId), taken, stopped('exhausted', taken.attempts), trace);
  }

  /** The outcome of a run, unless the job is to be tried again. */
  async conclude({ job, programId, trace }: RunnableJob, { taken, verdict, report, isWarm }: EndedRun): Promise<Processed> {
    trace.step('outcome');
    const target = { ...targetOf(job, programId), ...taken, ...trace.judge(verdict) };
    const isolation = isWarm ? 'warm' : 'fresh';
    const notBefore = job.retry && (await retryLater(this.tools, job, { target, verdict, report, isolation }));
    if (notBefore !== undefined) return { kind: 'later', notBefore };
    return { kind: 'done', outcome: await this.tools.outcomes.prepare(target, verdict, report, isolation) };
  }

  /** The outcome of a job that was taken but is not run: the given one, unless what happened before says more. */
  private async settle(received: ReceivedJob, target: JobTarget, taken: TakenJob, verdict: Verdict, trace: JobTrace): Promise<Processed> {
    const { verdict: said } = taken;
    if (said === 'unheld') return { kind: 'lost' };
    if (said === 'cancelled' || said === 'unknown' || said === 'finished') {
      this.tellStanding(received, said);
      return DONE;
    }
    const lastEnd = said === 'close' && isLate(verdict) ? await readLastEnd(this.tools, { ...target, ...taken }) : undefined;
    return this.write(target, taken, verdictOf(said, taken) ?? verdict, trace, lastEnd);
  }

  /** `lastEnd`: it is too late for the retry that was due, and what the last attempt ended with stands. */
  private async write(target: JobTarget, taken: TakenJob, verdict: Verdict, trace: JobTrace, lastEnd?: OutcomeParts): Promise<Processed> {
    const { outcomes } = this.tools;
    trace.startDecided(taken.attempts, false);
    trace.step('outcome');
    const ended = { ...target, ...taken, ...trace.judge(lastEnd?.outcome ?? verdict) };
    return { kind: 'done', outcome: lastEnd ? await outcomes.prepareLastEnd(ended, lastEnd) : await outcomes.prepare(ended, verdict) };
  }

  /**
   * The outcome that stands is the truth. Redelivered: the job's node was lost between the outcome and the queue's own
   * bookkeeping. Else somebody put an entry under an old id: a replay.
   */
  private tellStanding({ jobId, lane, isRedelivered }: ReceivedJob, record: 'cancelled' | 'unknown' | 'finished'): void {
    const { logger } = this.tools;
    if (record === 'cancelled') logger.info({ jobId, lane }, 'cancelled job has its outcome already; not run');
    else if (isRedelivered) logger.info({ jobId, lane, record }, 'redelivered job has its outcome already; not run');
    else
      logger.error(
        { event: 'security', errorCode: 'JOB_REPLAYED', jobId, lane, record },
        'a finished or unknown job stood in the queue; not run',
      );
  }
}

/** What the record itself says about a job that is not run (again); nothing where the verdict that is given stands. */
function verdictOf(
  said: Exclude<TakeVerdict, 'unheld' | 'cancelled' | 'unknown' | 'finished'>,
  { attempts }: TakenJob,
): Verdict | undefined {
  switch (said) {
    case 'damaged':
      return rejected('RECORD_UNVERIFIED', UNREADABLE_ATTEMPTS);
    case 'cancel':
      return stopped('cancelled', attempts);
    case 'abandoned':
      return stopped('abandoned', attempts);
    case 'lost':
      return stopped('lost', attempts);
    case 'close':
    case 'exhausted':
    case 'early':
    case 'lapsed':
    case 'start':
      return undefined;
  }
}

const isLate = ({ status, error }: Verdict): boolean => status === 'expired' || error?.type === ('JOB_EXPIRED' satisfies RejectionCode);
