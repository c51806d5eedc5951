import type { Redis } from 'ioredis';
import {
  RECORD_FIELDS,
  traceIdOf,
  type Config,
  type Job,
  type Logger,
  type RedisKeys,
  type ReplicaConfirmation,
} from '@python3-cluster/shared';
import type { Child } from '../runner/child';
import type { TemplateKeepers } from '../runner/template-keepers';
import type { ProcessLimit } from '../sandbox/process-limit';
import type { JobTrace } from './job-trace';
import type { LentChild, WarmChildren } from '../warm/warm-children';
import type { OutputFeed } from '../watch/output-feed';
import { CANCEL_REQUESTED, isGivenUp } from './abort-reasons';
import { judgeRun, type Verdict } from './judge-run';
import { noteGivenUp, noteLoss } from './note-loss';
import type { ReceivedJob } from './received-job';
import { RunCompany } from './run-company';
import { runInSlot, type RunReport } from './run-in-slot';
import { takeJob, type TakenJob } from './take-job';

export interface AttemptTools {
  readonly config: Config;
  readonly redis: Redis;
  readonly keys: RedisKeys;
  readonly templates: Pick<TemplateKeepers, 'takeChild'>;
  readonly warm: Pick<WarmChildren, 'lend'>;
  readonly feed: Pick<OutputFeed, 'during'>;
  /** Where a replica must have the start marker before code runs. */
  readonly replicas?: Pick<ReplicaConfirmation, 'confirm'> | undefined;
  readonly workerId: string;
  readonly allowedModules: readonly string[];
  readonly processLimit: Pick<ProcessLimit, 'current'>;
  readonly logger: Logger;
}

/** A job that was admitted and has a slot. */
export interface RunnableJob {
  readonly received: ReceivedJob;
  readonly job: Job;
  readonly payload: Buffer;
  /** What quarantine and the log know its program by, where it has been asked for. */
  readonly programId?: string | undefined;
  readonly trace: JobTrace;
}

export interface EndedRun {
  readonly kind: 'ended';
  readonly verdict: Verdict;
  readonly report: RunReport;
  readonly taken: TakenJob;
  readonly isWarm: boolean;
}

/** How a job's last attempt here came out. */
export type AttemptsEnd =
  | EndedRun
  /** Its record says that it must not start. `tookTemplatesDown`: each of its starts did, alone and under the eyes of this node. */
  | { readonly kind: 'not-started'; readonly taken: TakenJob; readonly tookTemplatesDown: boolean }
  /** No replica has confirmed the start; it was taken back. */
  | { readonly kind: 'unconfirmed' }
  /** The lock is lost or the node stops: nothing is to be written. */
  | { readonly kind: 'taken-away' };

type Attempt =
  | Exclude<AttemptsEnd, { kind: 'not-started' }>
  | { readonly kind: 'not-started'; readonly taken: TakenJob }
  /** Before it had the job: the start stands, and is another child's. */
  | { readonly kind: 'child-was-dead'; readonly taken: TakenJob }
  | { readonly kind: 'template-lost'; readonly wasAlone: boolean };

/** Children that may turn out dead when a job is handed to them, one after the other; more is no accident. */
const MAX_DEAD_CHILDREN = 3;

/**
 * Starts a job's code, and again only where its template went down under it and it may run twice. A start whose child was
 * dead before it could take the job is no run: the same start goes on with another child.
 */
export class Attempts {
  private readonly tools: AttemptTools;
  private readonly company = new RunCompany();

  constructor(tools: AttemptTools) {
    this.tools = tools;
  }

  async run(runnable: RunnableJob): Promise<AttemptsEnd> {
    const { job, trace } = runnable;
    const { logger } = this.tools;
    let started: TakenJob | undefined;
    let templatesTaken = 0;
    for (let deadChildren = 0; ;) {
      const attempt: Attempt = await this.attempt(runnable, started, deadChildren < MAX_DEAD_CHILDREN);
      switch (attempt.kind) {
        case 'child-was-dead':
          logger.warn({ jobId: job.id }, 'the child was gone before it had the job; another one takes it');
          deadChildren += 1;
          started = attempt.taken;
          break;
        case 'template-lost':
          logger.warn({ jobId: job.id, traceId: traceIdOf(job.traceparent) }, 'the template went down under the job');
          if (attempt.wasAlone) templatesTaken += 1;
          started = undefined;
          trace.again();
          break;
        case 'not-started':
          return { ...attempt, tookTemplatesDown: tookTemplatesDown(attempt.taken, templatesTaken) };
        case 'ended':
        case 'unconfirmed':
        case 'taken-away':
          return attempt;
      }
    }
  }

  private async attempt(runnable: RunnableJob, started: TakenJob | undefined, mayTryAnother: boolean): Promise<Attempt> {
    const { received, job, payload, trace } = runnable;
    const { templates, warm, logger } = this.tools;
    const { signal } = received;
    // Before the start marker: a fork that fails must not count as a run.
    trace.step('child');
    const lent = await warm.lend(job, payload, () => templates.takeChild(job.mode));
    const { child } = lent;
    trace.childTaken(child.pid, lent.isWarm);
    // A cancelled job goes on to its record, which says so, and where its outcome is then written.
    const start = isGivenUp(signal) ? TAKEN_AWAY : await this.markStart(runnable, started);
    if (start.kind !== 'started') {
      child.kill();
      return start;
    }
    const { taken } = start;
    trace.step('run');
    const { report, wasAlone } = await this.runCode(runnable, lent, taken);
    const verdict = judgeRun(report, job.limits);
    trace.ran(report, verdict);
    if (wasNeverRun(child, report) && mayTryAnother) return { kind: 'child-was-dead', taken };
    // Before the outcome is known to anybody: whoever calls again upon it finds the child there.
    lent.giveBack(mayRunAgain(verdict) ? report.inspection : undefined);
    if (report.killReason === 'cancelled' && signal.reason !== CANCEL_REQUESTED) {
      const fields = { jobId: job.id, traceId: traceIdOf(job.traceparent), reason: signal.reason as string };
      logger.warn(fields, 'the job was ended here, and nothing is written for it');
      noteGivenUp(this.tools, job, taken, signal);
      return TAKEN_AWAY;
    }
    if (report.answer === undefined && child.lostWithTemplate) {
      noteLoss(this.tools, job, taken, 'TemplateLost');
      return { kind: 'template-lost', wasAlone };
    }
    return { kind: 'ended', verdict, report, taken, isWarm: lent.isWarm };
  }

  /** Writes the start marker, unless this start has it. */
  private async markStart({ received, job, trace }: RunnableJob, started: TakenJob | undefined): Promise<Start> {
    trace.step('startMarker');
    const taken = started ?? (await takeJob(this.tools, received, job, 'run'));
    if (taken.verdict !== 'start') return { kind: 'not-started', taken };
    if (!(await this.isStartConfirmed(received, taken))) return isGivenUp(received.signal) ? TAKEN_AWAY : { kind: 'unconfirmed' };
    trace.startDecided(taken.attempts, true);
    return { kind: 'started', taken };
  }

  /**
   * Whether the start marker will outlive the loss of the primary; if that is not known, the start is taken back. A marker
   * that cannot be taken back, or that only the replica keeps, costs an at-most-once job its run (`lost`), never a second one.
   */
  private async isStartConfirmed({ lane, jobId }: ReceivedJob, { token }: TakenJob): Promise<boolean> {
    const { redis, keys, replicas, logger } = this.tools;
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

  private async runCode(
    { received, job, payload, trace }: RunnableJob,
    { child, keep, cpuBaselineMs }: LentChild,
    { attempts }: TakenJob,
  ): Promise<{ readonly report: RunReport; readonly wasAlone: boolean }> {
    const { config, allowedModules, processLimit, feed } = this.tools;
    const { signal } = received;
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
}

type Start =
  { readonly kind: 'started'; readonly taken: TakenJob } | Extract<Attempt, { kind: 'not-started' | 'unconfirmed' | 'taken-away' }>;

const TAKEN_AWAY = { kind: 'taken-away' } as const;

const wasNeverRun = (child: Child, report: RunReport): boolean => child.isUndelivered && report.killReason === undefined;

/**
 * Where a node was lost, Redis failed or a neighbour may have taken the template down, nothing speaks against the program.
 */
const tookTemplatesDown = ({ verdict, attempts }: TakenJob, templatesTaken: number): boolean =>
  verdict === 'exhausted' && templatesTaken === attempts.length;

/** A process that met a limit is not trusted with another job. */
const mayRunAgain = ({ status }: Verdict): boolean => status === 'succeeded' || status === 'failed';
