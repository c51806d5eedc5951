import type { Redis } from 'ioredis';
import {
  endsWithItsCaller, hasErrorCode, openJobHead, RECORD_FIELDS,
  type Config, type IsolationLevel, type Job, type KeyRing, type Logger, type QueueEntry, type RedisKeys,
} from '@python3-cluster/shared'; // prettier-ignore
import type { Pool } from '../pool/pool';
import { Seat } from '../pool/seat';
import type { TemplateKeepers } from '../runner/template-keepers';
import type { WarmChildren } from '../warm/warm-children';
import { takeJob, type TakenJob } from './take-job';
import { judgeRun, rejected, stopped, type Verdict } from './judge-run';
import type { OutcomeTarget, OutcomeWriter } from './outcome-writer';
import { runInSlot } from './run-in-slot';
import { verifyJob, type RejectionCode } from './verify-job';

export interface JobProcessorOptions {
  readonly config: Config;
  readonly redis: Redis;
  readonly keys: RedisKeys;
  readonly keyRing: KeyRing;
  readonly pool: Pool;
  readonly templates: TemplateKeepers;
  readonly warm: WarmChildren;
  readonly outcomes: OutcomeWriter;
  readonly workerId: string;
  readonly level: IsolationLevel;
  readonly allowedModules: readonly string[];
  readonly logger: Logger;
}

export interface ReceivedJob {
  readonly lane: string;
  readonly jobId: string;
  readonly entry: QueueEntry;
  /** Whether the queue has handed the job out before and got it back by a lost lock. */
  readonly isRedelivered: boolean;
  /** The queue's lock on the job, where it is held by one: it is taken only while the lock stands. */
  readonly lockToken?: string | undefined;
  /** Aborted when this node no longer holds the job, or must end it. */
  readonly signal: AbortSignal;
}

/**
 * `done`: it has its outcome. `busy`: not started, and may wait on. `stopped`: ended because this node stops, and may run
 * elsewhere. `lost`: somebody else has it now.
 */
export type Processed = 'done' | 'busy' | 'stopped' | 'lost';

/** Abort reason: the queue has given the job to somebody else, so nothing may be written for it any more. */
export const LOCK_LOST = 'lock-lost';
/** Abort reason: the node's drain time is over. */
export const NODE_STOPPING = 'node-stopping';
/** Abort reason: somebody asked for its cancellation; the job's record says so, too. */
export const CANCEL_REQUESTED = 'cancel-requested';

/**
 * One job's way through a worker node:
 *
 *   content → verify → slot → child → start marker → run → judge → sealed outcome
 *
 * What the code did is an outcome. Only a failure of ours (Redis, a template) is thrown, and the job goes back.
 */
export class JobProcessor {
  private readonly options: JobProcessorOptions;

  constructor(options: JobProcessorOptions) {
    this.options = options;
  }

  async process(received: ReceivedJob): Promise<Processed> {
    const { lane, jobId, signal } = received;
    const sealed = await this.loadContent(received);
    if (sealed === undefined) return this.reject(received, 'PAYLOAD_MISSING', 'the payload of the job is gone');
    const verification = verifyJob(this.options.keyRing, lane, jobId, sealed, Date.now());
    if (!verification.ok) return this.reject(received, verification.code, verification.message);
    const { job, payload } = verification;
    if (this.options.level === 'D' && job.mode === 'restricted') {
      return this.close(received, targetOf(job), job.delivery, rejected('ISOLATION_INSUFFICIENT', NOTHING_CONTAINS_IT));
    }
    if (isTooLate(job)) return this.close(received, targetOf(job), job.delivery, stopped('expired', 0));
    let seat: Seat;
    try {
      seat = new Seat(this.options.pool, await this.options.pool.borrow());
    } catch (error) {
      if (!hasErrorCode(error, 'POOL_BUSY')) throw error;
      if (!endsWithItsCaller(job)) return 'busy';
      return this.close(received, targetOf(job), job.delivery, rejected('POOL_BUSY', (error as Error).message));
    }
    try {
      // The wait for the slot may have taken the rest of the caller's time.
      if (isTooLate(job)) return await this.close(received, targetOf(job), job.delivery, stopped('expired', 0));
      return await this.runAttempts(received, job, payload, seat, signal);
    } finally {
      seat.release();
    }
  }

  private async loadContent({ lane, jobId, entry }: ReceivedJob): Promise<Buffer | undefined> {
    if ('sealed' in entry) return Buffer.from(entry.sealed, 'utf8');
    return (await this.options.redis.getBuffer(this.options.keys.jobPayload(lane, jobId))) ?? undefined;
  }

  /** A job is started again here only if its template went down under it and it may run twice. */
  private async runAttempts(received: ReceivedJob, job: Job, payload: Buffer, seat: Seat, signal: AbortSignal): Promise<Processed> {
    const { config, allowedModules, templates, warm, outcomes, logger } = this.options;
    for (;;) {
      // Before the start marker: a fork that fails must not count as a run.
      const lent = await warm.lend(job, payload, seat, () => templates.takeChild(job.mode));
      const { child, keep, cpuBaselineMs } = lent;
      // A cancelled job goes on to its record, which says so, and where its outcome is then written.
      if (signal.aborted && signal.reason !== CANCEL_REQUESTED) {
        child.kill();
        return endedBy(signal);
      }
      const taken = await takeJob(this.options, received, job.delivery, 'run');
      if (taken.verdict !== 'start') {
        child.kill();
        return this.settle(received, targetOf(job), taken, stopped('exhausted', taken.attempts.length));
      }
      const { slot } = seat;
      const report = await runInSlot({ job, payload, slot, child, config, allowedModules, signal, keep, cpuBaselineMs });
      const verdict = judgeRun(report, job.limits);
      // Before the outcome is known to anybody: whoever calls again upon it finds the child there.
      lent.giveBack(mayRunAgain(verdict) ? report.inspection : undefined);
      if (report.killReason === 'cancelled' && signal.reason !== CANCEL_REQUESTED) {
        logger.warn({ jobId: job.id, reason: signal.reason as string }, 'the job was ended here, and nothing is written for it');
        return endedBy(signal);
      }
      if (report.answer === undefined && child.lostWithTemplate) {
        logger.warn({ jobId: job.id }, 'the template went down under the job');
        continue;
      }
      await outcomes.write({ ...targetOf(job), ...taken }, verdict, report, lent.isWarm ? 'warm' : 'fresh');
      return 'done';
    }
  }

  /** Refuses a job whose content cannot be believed: where the outcome goes is read from its sealed record instead. */
  private async reject(received: ReceivedJob, code: RejectionCode, message: string): Promise<Processed> {
    const { lane, jobId } = received;
    const { redis, keys, keyRing, config, logger } = this.options;
    logger.error({ event: 'security', errorCode: code, jobId, lane }, `job refused: ${message}`);
    const sealedHead = await redis.hgetBuffer(keys.jobRecord(lane, jobId), RECORD_FIELDS.job);
    const head = sealedHead ? openJobHead(keyRing, jobId, sealedHead) : undefined;
    const target = head
      ? { ...targetOf(head), lane }
      : { jobId, lane, issuedAt: Date.now(), resultTtlMs: config.resultTtlSeconds * 1_000, replyTo: null };
    return this.close(received, target, head?.delivery ?? 'at-least-once', rejected(code, message));
  }

  /** Ends a job without running it (again). */
  private async close(received: ReceivedJob, target: Target, delivery: Job['delivery'], verdict: Verdict): Promise<Processed> {
    return this.settle(received, target, await takeJob(this.options, received, delivery, 'close'), verdict);
  }

  /** Writes the outcome of a job that was taken but is not run: the given one, unless what happened before says more. */
  private async settle(received: ReceivedJob, target: Target, taken: TakenJob, verdict: Verdict): Promise<Processed> {
    const { outcomes, logger } = this.options;
    if (taken.verdict === 'cancelled') {
      logger.info({ jobId: received.jobId, lane: received.lane }, 'cancelled job has its outcome already; not run');
      return 'done';
    }
    if (taken.verdict === 'unheld') return 'lost';
    if (taken.verdict === 'unknown' || taken.verdict === 'finished') {
      // The outcome that stands is the truth. Redelivered: its node was lost between the outcome and the queue's own
      // bookkeeping. Else somebody put an entry under an old id: a replay.
      const fields = { jobId: received.jobId, lane: received.lane, record: taken.verdict };
      if (received.isRedelivered) logger.info(fields, 'redelivered job has its outcome already; not run');
      else
        logger.error({ event: 'security', errorCode: 'JOB_REPLAYED', ...fields }, 'a finished or unknown job stood in the queue; not run');
      return 'done';
    }
    await outcomes.write({ ...target, ...taken }, verdictOf(taken) ?? verdict);
    return 'done';
  }
}

const NOTHING_CONTAINS_IT = 'this worker node has isolation level D, where nothing contains code; it runs ADMIN jobs only';

/** A process that met a limit is not trusted with another job. */
const mayRunAgain = ({ status }: Verdict): boolean => status === 'succeeded' || status === 'failed';

type Target = Omit<OutcomeTarget, 'token' | 'attempts'>;

/** What the record itself says about a job that is not run (again). */
function verdictOf({ verdict, attempts }: TakenJob): Verdict | undefined {
  if (verdict === 'cancel') return stopped('cancelled', attempts.length);
  return verdict === 'lost' ? stopped('lost', attempts.length) : undefined;
}

const endedBy = (signal: AbortSignal): Processed => (signal.reason === LOCK_LOST ? 'lost' : 'stopped');

const isTooLate = (job: Job): boolean => job.startBefore !== null && Date.now() > job.startBefore;

export function targetOf(job: Job): Target {
  return { jobId: job.id, lane: job.lane, issuedAt: job.issuedAt, resultTtlMs: job.resultTtlMs, replyTo: job.replyTo };
}
