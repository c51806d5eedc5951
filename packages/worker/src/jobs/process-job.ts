import { setTimeout as pause } from 'node:timers/promises';
import type { Redis } from 'ioredis';
import {
  endsWithItsCaller, hasErrorCode, RECORD_FIELDS, traceIdOf,
  type Config, type IsolationLevel, type Job, type KeyRing, type Logger, type RedisKeys, type ReplicaConfirmation,
} from '@python3-cluster/shared'; // prettier-ignore
import type { ProgramNoter } from '../metrics/program-noter';
import type { Pool, Slot } from '../pool/pool';
import type { Child } from '../runner/child';
import type { TemplateKeepers } from '../runner/template-keepers';
import type { ProcessLimit } from '../sandbox/process-limit';
import { UNTRACED, type JobTrace } from '../traces/job-trace';
import type { TraceJob } from '../traces/trace-jobs';
import type { LentChild, WarmChildren } from '../warm/warm-children';
import type { Admission, Quarantine } from '../quarantine/quarantine';
import type { OutputFeed } from '../watch/output-feed';
import { CANCEL_REQUESTED, endedBy, isGivenUp } from './abort-reasons';
import { handBack, type HandBackTools } from './hand-back';
import { judgeRun, rejected, stopped, type Verdict } from './judge-run';
import { readLastEnd } from './last-end';
import { loadContent } from './load-content';
import type { OutcomeTarget, OutcomeWriter, PreparedOutcome } from './outcome-writer';
import { readJobHead } from './read-job-head';
import { retryLater } from './retry-later';
import type { Processed } from './processed';
import { RunCompany } from './run-company';
import { runInSlot, type RunReport } from './run-in-slot';
import { takeJob, UNREADABLE_ATTEMPTS, type StartRules, type TakenJob } from './take-job';
import { verifyJob, type Refusal, type RejectionCode } from './verify-job';

export interface JobProcessorOptions {
  readonly config: Config;
  readonly redis: Redis;
  readonly keys: RedisKeys;
  readonly keyRing: KeyRing;
  readonly pool: Pool;
  readonly templates: TemplateKeepers;
  readonly warm: WarmChildren;
  readonly outcomes: OutcomeWriter;
  readonly feed: OutputFeed;
  readonly quarantine: Quarantine;
  readonly signing: HandBackTools['signing'];
  readonly programs: Pick<ProgramNoter, 'note'>;
  /** Where a replica must have the start marker before code runs. */
  readonly replicas?: ReplicaConfirmation | undefined;
  readonly workerId: string;
  readonly level: IsolationLevel;
  readonly allowedModules: readonly string[];
  readonly processLimit: Pick<ProcessLimit, 'current'>;
  /** undefined: traces are not configured. */
  readonly traceJob?: TraceJob | undefined;
  readonly logger: Logger;
}

export interface ReceivedJob {
  readonly lane: string;
  readonly jobId: string;
  /** As it stood in the queue; nobody has looked at it. */
  readonly entry: unknown;
  /** Whether the queue has handed the job out before and got it back by a lost lock. */
  readonly isRedelivered: boolean;
  /** The queue's lock on the job, where it is held by one: it is taken only while the lock stands. */
  readonly lockToken?: string | undefined;
  /** Aborted when this node no longer holds the job, or must end it. */
  readonly signal: AbortSignal;
  /** Takes the outcome, to be written when the queue is told that the job is done. */
  readonly deliver: (outcome: PreparedOutcome) => void;
}

/** What is told of it as it goes through here. */
type TracedJob = ReceivedJob & { trace: JobTrace };

/**
 * The longest a job that came too early is held here before it goes back. Clocks of hosts differ a little: without this, one
 * node would promote a job and the other put it back, many times a second.
 */
export const EARLY_HOLD_MS = 250;

/**
 * One job's way through a worker node:
 *
 *   content → verify → slot → child → start marker → run → judge → sealed outcome
 *
 * What the code did is an outcome. Only a failure of ours (Redis, a template) is thrown, and the job goes back.
 */
export class JobProcessor {
  private readonly options: JobProcessorOptions;
  private readonly company = new RunCompany();

  constructor(options: JobProcessorOptions) {
    this.options = options;
  }

  async process(received: ReceivedJob): Promise<Processed> {
    const { traceJob } = this.options;
    if (traceJob === undefined) return this.handle({ ...received, trace: UNTRACED });
    const traced: TracedJob = { ...received, trace: traceJob(received) };
    try {
      const processed = await this.handle(traced);
      traced.trace.handled(processed);
      return processed;
    } catch (error) {
      traced.trace.failed();
      throw error;
    }
  }

  private async handle(received: TracedJob): Promise<Processed> {
    const { lane, jobId, signal } = received;
    const { redis, keys, keyRing } = this.options;
    const content = await loadContent(redis, keys, received);
    if (!content.ok) return this.reject(received, content.code, content.message);
    const verification = await verifyJob(keyRing, lane, jobId, content.sealed, Date.now());
    if (!verification.ok) return this.refuse(received, verification, content.sealed);
    const { job, payload } = verification;
    received.trace.belongsTo(job);
    if (this.options.level === 'D' && job.mode === 'restricted') {
      return this.close(received, targetOf(job), job, rejected('ISOLATION_INSUFFICIENT', NOTHING_CONTAINS_IT));
    }
    // Whoever can write to Redis can promote an entry; when the job may start stands in what the API signed.
    const leftMs = (job.startAfter ?? 0) - Date.now();
    if (leftMs > 0) return holdBack(leftMs, signal);
    if (isTooLate(job)) return this.close(received, targetOf(job), job, stopped('expired', 0));
    let slot: Slot;
    received.trace.step('slot');
    try {
      slot = await this.options.pool.borrow();
    } catch (error) {
      if (!hasErrorCode(error, 'POOL_BUSY')) throw error;
      if (!endsWithItsCaller(job)) return 'busy';
      return this.close(received, targetOf(job), job, rejected('POOL_BUSY', (error as Error).message));
    }
    try {
      // The wait for the slot may have taken the rest of the caller's time.
      if (isTooLate(job)) return await this.close(received, targetOf(job), job, stopped('expired', 0));
      return await this.runUnlessQuarantined(received, job, payload);
    } finally {
      this.options.pool.release(slot);
    }
  }

  private async runUnlessQuarantined(received: TracedJob, job: Job, payload: Buffer): Promise<Processed> {
    const { quarantine } = this.options;
    const admission = await quarantine.admit(job, payload);
    if (!admission.isAdmitted) {
      return this.close(received, targetOf(job), job, rejected('PROGRAM_QUARANTINED', admission.message));
    }
    const end: RunEnd = { status: undefined };
    try {
      return await this.runAttempts(received, job, payload, { admission, end });
    } finally {
      // A trial that did not run must not keep others from trying.
      if (admission.trialOf !== undefined && end.status === undefined) await quarantine.settle(job, payload, admission, undefined);
    }
  }

  /**
   * A job is started again here only if its template went down under it and it may run twice. A start whose child was
   * dead before it could take the job is no run: the same start goes on with another child.
   */
  private async runAttempts(received: TracedJob, job: Job, payload: Buffer, { admission, end }: Watched): Promise<Processed> {
    const { templates, warm, quarantine, logger } = this.options;
    const { signal } = received;
    let started: TakenJob | undefined;
    let templatesTaken = 0;
    for (let deadChildren = 0; ;) {
      // Before the start marker: a fork that fails must not count as a run.
      received.trace.step('child');
      const lent = await warm.lend(job, payload, () => templates.takeChild(job.mode));
      const { child } = lent;
      received.trace.took(child.pid, lent.isWarm);
      // A cancelled job goes on to its record, which says so, and where its outcome is then written.
      if (isGivenUp(signal)) {
        child.kill();
        return endedBy(signal);
      }
      received.trace.step('startMarker');
      const taken = started ?? (await takeJob(this.options, received, job, 'run'));
      started = undefined;
      const unstarted = await this.settleUnstarted(received, job, taken);
      if (unstarted !== undefined) {
        child.kill();
        if (tookTemplatesDown(taken, templatesTaken)) await quarantine.settle(job, payload, admission, 'crashed');
        return unstarted;
      }
      received.trace.step('run');
      const { report, wasAlone } = await this.run(received, job, payload, lent, taken);
      const verdict = judgeRun(report, job.limits);
      received.trace.ran(report, verdict);
      if (wasNeverRun(child, report) && (deadChildren += 1) <= MAX_DEAD_CHILDREN) {
        logger.warn({ jobId: job.id, pid: child.pid }, 'the child was gone before it had the job; another one takes it');
        started = taken;
        continue;
      }
      // Before the outcome is known to anybody: whoever calls again upon it finds the child there.
      lent.giveBack(mayRunAgain(verdict) ? report.inspection : undefined);
      if (report.killReason === 'cancelled' && signal.reason !== CANCEL_REQUESTED) {
        logger.warn(
          { jobId: job.id, traceId: traceIdOf(job.traceparent), reason: signal.reason as string },
          'the job was ended here, and nothing is written for it',
        );
        return endedBy(signal);
      }
      if (report.answer === undefined && child.lostWithTemplate) {
        logger.warn({ jobId: job.id, traceId: traceIdOf(job.traceparent) }, 'the template went down under the job');
        if (wasAlone) templatesTaken += 1;
        received.trace = received.trace.again();
        continue;
      }
      end.status = verdict.status;
      // Before the outcome is known to anybody: whoever calls again upon it meets what it led to.
      await quarantine.settle(job, payload, admission, whatItSays(verdict, signal));
      void this.options.programs.note(job, payload);
      return this.conclude(received, job, taken, verdict, report, lent.isWarm);
    }
  }

  // prettier-ignore
  private async run(
    { trace, signal }: TracedJob, job: Job, payload: Buffer, { child, keep, cpuBaselineMs }: LentChild, { attempts }: TakenJob,
  ): Promise<{ readonly report: RunReport; readonly wasAlone: boolean }> {
    const { config, allowedModules, processLimit, feed } = this.options;
    const limits = { allowedModules, processLimit: processLimit.current };
    const companion = this.company.enter(job.mode);
    try {
      const report = await feed.during(job.id, attempts.length, child.workspace, () =>
        runInSlot({ job, payload, child, config, ...limits, signal, keep, cpuBaselineMs, traceparent: trace.traceparentForCode }),
      );
      return { report, wasAlone: companion.wasAlone };
    } finally {
      companion.leave();
    }
  }

  /** What becomes of a job that must not run now; undefined where its code may run. */
  private async settleUnstarted(received: TracedJob, job: Job, taken: TakenJob): Promise<Processed | undefined> {
    const { signal } = received;
    if (taken.verdict === 'early') return holdBack(taken.leftMs, signal);
    if (taken.verdict !== 'start') return this.settle(received, targetOf(job), taken, stopped('exhausted', taken.attempts.length));
    if (await this.isStartConfirmed(received, taken)) {
      received.trace.taken(taken.attempts, true);
      return undefined;
    }
    return isGivenUp(signal) ? endedBy(signal) : 'busy';
  }

  /** Delivers the outcome, unless the job is to be tried again. */
  // prettier-ignore
  private async conclude(
    received: TracedJob, job: Job, taken: TakenJob, verdict: Verdict, report: RunReport, isWarm: boolean,
  ): Promise<Processed> {
    received.trace.step('outcome');
    const target = { ...targetOf(job), ...taken, ...received.trace.judge(verdict) };
    const isolation = isWarm ? 'warm' : 'fresh';
    const notBefore = job.retry && (await retryLater(this.options, job, { target, verdict, report, isolation }));
    if (notBefore !== undefined) return { notBefore };
    deliver(received, await this.options.outcomes.prepare(target, verdict, report, isolation));
    return 'done';
  }

  /**
   * Whether the start marker will outlive the loss of the primary; if that is not known, the start is taken back. A marker
   * that cannot be taken back, or that only the replica keeps, costs an at-most-once job its run (`lost`), never a second one.
   */
  private async isStartConfirmed({ lane, jobId }: ReceivedJob, { token }: TakenJob): Promise<boolean> {
    const { redis, keys, replicas, logger } = this.options;
    if (replicas === undefined) return true;
    const record = keys.jobRecord(lane, jobId);
    if (await replicas.confirm(lane, { record, field: RECORD_FIELDS.token, value: token })) return true;
    logger.warn(
      { jobId, lane, errorCode: 'DURABILITY_UNAVAILABLE' },
      'no replica confirmed the start; the job is not run and goes back to its lane',
    );
    await redis.undoStart(record, token);
    return false;
  }

  private async refuse(received: TracedJob, { code, message }: Refusal, sealed: Buffer): Promise<Processed> {
    const notBefore = code === 'JOB_SIGNATURE_INVALID' ? await handBack(this.options, received, sealed) : undefined;
    return notBefore === undefined ? this.reject(received, code, message) : { notBefore };
  }

  /** Refuses a job whose content cannot be believed: where the outcome goes is read from its sealed record instead. */
  private async reject(received: TracedJob, code: RejectionCode, message: string): Promise<Processed> {
    const { lane, jobId } = received;
    const { config, logger } = this.options;
    logger.error({ event: 'security', errorCode: code, jobId, lane }, `job refused: ${message}`);
    const head = await readJobHead(this.options, lane, jobId);
    if (head !== undefined) received.trace.belongsTo(head);
    const target = head
      ? { ...targetOf(head), lane }
      : {
          jobId, lane, kind: 'unknown' as const, owner: '', issuedAt: Date.now(), resultTtlMs: config.resultTtlSeconds * 1_000, replyTo: null, traceparent: null,
        }; // prettier-ignore
    return this.close(received, target, head ?? { delivery: 'at-least-once' }, rejected(code, message));
  }

  /** Ends a job without running it (again). */
  private async close(received: TracedJob, target: Target, rules: StartRules, verdict: Verdict): Promise<Processed> {
    return this.settle(received, target, await takeJob(this.options, received, rules, 'close'), verdict);
  }

  /** Delivers the outcome of a job that was taken but is not run: the given one, unless what happened before says more. */
  private async settle(received: TracedJob, target: Target, taken: TakenJob, verdict: Verdict): Promise<Processed> {
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
    received.trace.taken(taken.attempts, false);
    received.trace.step('outcome');
    // Too late for the retry that was due: what the last attempt ended with stands.
    const lastEnd = taken.verdict === 'close' && isLate(verdict) ? await readLastEnd(this.options, { ...target, ...taken }) : undefined;
    const end = verdictOf(taken) ?? verdict;
    const ended = { ...target, ...taken, ...received.trace.judge(lastEnd?.outcome ?? end) };
    deliver(received, lastEnd ? await outcomes.prepareLastEnd(ended, lastEnd) : await outcomes.prepare(ended, end));
    return 'done';
  }
}

const NOTHING_CONTAINS_IT = 'this worker node has isolation level D, where nothing contains code; it runs ADMIN jobs only';

const deliver = (received: TracedJob, outcome: PreparedOutcome): void => received.deliver(received.trace.delivering(outcome));

const wasNeverRun = (child: Child, report: RunReport): boolean => child.isUndelivered && report.killReason === undefined;

/**
 * Whether each of the job's starts took a template down, under the eyes of this node and with no other job in it. Where a node
 * was lost, Redis failed or a neighbour may have done it, nothing speaks against the program.
 */
const tookTemplatesDown = ({ verdict, attempts }: TakenJob, templatesTaken: number): boolean =>
  verdict === 'exhausted' && templatesTaken === attempts.length;

/** Nothing, where the lock was lost meanwhile: a node that was stopped finds every clock run out. */
const whatItSays = ({ status }: Verdict, signal: AbortSignal): Verdict['status'] | undefined => (isGivenUp(signal) ? undefined : status);

/** Children that may turn out dead when a job is handed to them, one after the other; more is no accident. */
const MAX_DEAD_CHILDREN = 3;

/** A process that met a limit is not trusted with another job. */
const mayRunAgain = ({ status }: Verdict): boolean => status === 'succeeded' || status === 'failed';

/** How the job's code came to its own end; nothing where it did not. */
interface RunEnd {
  status: Verdict['status'] | undefined;
}

interface Watched {
  readonly admission: Admission;
  readonly end: RunEnd;
}

type Target = Omit<OutcomeTarget, 'token' | 'attempts'>;

/** What the record itself says about a job that is not run (again). */
function verdictOf({ verdict, attempts }: TakenJob): Verdict | undefined {
  if (verdict === 'damaged') return rejected('RECORD_UNVERIFIED', UNREADABLE_ATTEMPTS);
  if (verdict === 'cancel') return stopped('cancelled', attempts.length);
  return verdict === 'lost' ? stopped('lost', attempts.length) : undefined;
}

const isLate = ({ status, error }: Verdict): boolean => status === 'expired' || error?.type === ('JOB_EXPIRED' satisfies RejectionCode);

/** Goes back to wait for its time. One that is being cancelled meanwhile is settled as any that nobody runs. */
async function holdBack(leftMs: number, signal: AbortSignal): Promise<Processed> {
  const notBefore = Date.now() + leftMs;
  await pause(Math.min(leftMs, EARLY_HOLD_MS), undefined, { signal }).catch(() => undefined);
  return isGivenUp(signal) ? endedBy(signal) : { notBefore };
}

const isTooLate = (job: Job): boolean => job.startBefore !== null && Date.now() > job.startBefore;

export function targetOf(job: Job): Target {
  const { id: jobId, lane, kind, program, owner, issuedAt, resultTtlMs, replyTo, traceparent } = job;
  return { jobId, lane, kind, program, owner, issuedAt, resultTtlMs, replyTo, traceparent };
}
