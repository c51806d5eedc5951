import { endsWithItsCaller, hasErrorCode } from '@python3-cluster/shared';
import type { ProgramNoter } from '../programs/program-noter';
import type { Pool, Slot } from '../pool/pool';
import type { Quarantine } from '../quarantine/quarantine';
import { UNTRACED, type JobTrace, type TraceJob } from './job-trace';
import { endedBy, isGivenUp } from './abort-reasons';
import { admitJob, closingOf, isTooLate, type AdmissionTools } from './admit-job';
import type { Attempts, AttemptsEnd, RunnableJob } from './attempts';
import type { Endings } from './endings';
import { holdBack } from './hold-back';
import { rejected, stopped, type Verdict } from './judge-run';
import { BUSY, type Processed } from './processed';
import type { ReceivedJob } from './received-job';
import type { TakenJob } from './take-job';

export interface JobProcessorOptions {
  /** What a job is admitted by. */
  readonly admission: AdmissionTools;
  readonly pool: Pick<Pool, 'borrow' | 'release'>;
  readonly quarantine: Pick<Quarantine, 'admit' | 'settle'>;
  /** Keeps what people know programs by. */
  readonly programs: Pick<ProgramNoter, 'note'>;
  readonly attempts: Pick<Attempts, 'run'>;
  readonly endings: Pick<Endings, 'close' | 'conclude' | 'exhaust'>;
  /** undefined: traces are not configured. */
  readonly traceJob?: TraceJob | undefined;
}

/**
 * One job's way through a worker node:
 *
 *   admission ─▶ slot ─▶ quarantine ─▶ attempts ─▶ outcome
 *
 * Each step gives a value that the next one reads; what comes out tells the queue what to do. What the code did is an
 * outcome. Only a failure of ours (Redis, a template) is thrown, and the job goes back.
 */
export class JobProcessor {
  private readonly options: JobProcessorOptions;

  constructor(options: JobProcessorOptions) {
    this.options = options;
  }

  async process(received: ReceivedJob): Promise<Processed> {
    const trace = this.options.traceJob?.(received) ?? UNTRACED;
    try {
      return trace.handled(await this.handle(received, trace));
    } catch (error) {
      trace.failed();
      throw error;
    }
  }

  private async handle(received: ReceivedJob, trace: JobTrace): Promise<Processed> {
    const { admission, endings } = this.options;
    const admitted = await admitJob(admission, received, trace);
    switch (admitted.kind) {
      case 'back':
        return admitted.processed;
      case 'closed':
        return endings.close(received, admitted.closing, trace);
      case 'admitted':
        return this.withSlot({ ...admitted, received, trace });
    }
  }

  private async withSlot(runnable: RunnableJob): Promise<Processed> {
    const { pool } = this.options;
    const { job, trace } = runnable;
    trace.step('slot');
    let slot: Slot;
    try {
      slot = await pool.borrow();
    } catch (error) {
      if (!hasErrorCode(error, 'POOL_BUSY')) throw error;
      return endsWithItsCaller(job) ? this.close(runnable, rejected('POOL_BUSY', (error as Error).message)) : BUSY;
    }
    try {
      // The wait for the slot may have taken the rest of the caller's time.
      return isTooLate(job) ? await this.close(runnable, stopped('expired')) : await this.runUnlessQuarantined(runnable);
    } finally {
      pool.release(slot);
    }
  }

  private async runUnlessQuarantined(runnable: RunnableJob): Promise<Processed> {
    const { programs, quarantine, attempts } = this.options;
    const { job, payload, received } = runnable;
    const admission = await quarantine.admit(job, payload);
    if (!admission.isAdmitted) return this.close(runnable, rejected('PROGRAM_QUARANTINED', admission.message));
    let evidence: Verdict['status'] | undefined;
    try {
      const end = await attempts.run(runnable);
      evidence = evidenceOf(end, received.signal);
      // Before the outcome is known to anybody: whoever calls again upon it meets what it led to.
      if (evidence !== undefined) await quarantine.settle(job, payload, admission, evidence);
      if (end.kind === 'ended') void programs.note(job, payload);
      return await this.conclude(runnable, end);
    } finally {
      // A trial that did not run must not keep others from trying.
      if (admission.trialOf !== undefined && evidence === undefined) await quarantine.settle(job, payload, admission, undefined);
    }
  }

  private conclude(runnable: RunnableJob, end: AttemptsEnd): Promise<Processed> | Processed {
    switch (end.kind) {
      case 'ended':
        return this.options.endings.conclude(runnable, end);
      case 'not-started':
        return this.endUnstarted(runnable, end.taken);
      case 'unconfirmed':
        return BUSY;
      case 'taken-away':
        return endedBy(runnable.received.signal);
    }
  }

  private endUnstarted(runnable: RunnableJob, taken: TakenJob): Promise<Processed> | Processed {
    if (taken.verdict === 'early') return holdBack(taken.leftMs, runnable.received.signal);
    // Its caller may come back: only when the hold is over for good does the job end.
    if (taken.verdict === 'lapsed') return { kind: 'later', notBefore: Date.now() + taken.leftMs };
    return this.options.endings.exhaust(runnable, taken);
  }

  private close({ received, job, programId, trace }: RunnableJob, verdict: Verdict): Promise<Processed> {
    return this.options.endings.close(received, closingOf(job, verdict, programId), trace);
  }
}

/** What the end says about the program; nothing where the lock was lost: a node that was stopped finds every clock run out. */
function evidenceOf(end: AttemptsEnd, signal: AbortSignal): Verdict['status'] | undefined {
  if (end.kind === 'not-started') return end.tookTemplatesDown ? 'crashed' : undefined;
  return end.kind === 'ended' && !isGivenUp(signal) ? end.verdict.status : undefined;
}
