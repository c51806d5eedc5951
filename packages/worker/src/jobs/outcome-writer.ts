import type { Redis } from 'ioredis';
import {
  finishJobKeys, formatTally, inTurns, MAX_PUBLISHED_BYTES, sealingOutcome, traceIdOf,
  type Attempt, type Config, type FinishJobArguments, type FinishVerdict, type IsolationLevel, type KeyRing, type Logger, type Outcome, type OutcomeParts, type OutcomeTimings, type RedisKeys, type Tally, type Tracing,
} from '@python3-cluster/shared'; // prettier-ignore
import { traceSettled } from '../traces/settled-trace';
import { endAttempts } from './attempt-ends';
import type { RunReport } from './run-in-slot';
import type { Verdict } from './judge-run';

export interface OutcomeWriterOptions {
  readonly redis: Redis;
  readonly keys: RedisKeys;
  readonly keyRing: KeyRing;
  readonly workerId: string;
  readonly level: IsolationLevel;
  /** Told of each job whose outcome is written. */
  readonly onWritten?: (written: WrittenOutcome) => void;
  readonly tracing?: Tracing | undefined;
  /** Of which jobs a line is logged; absent: all. */
  readonly logJobs?: Config['logJobs'];
  readonly logger: Logger;
}

export interface WrittenOutcome {
  readonly target: OutcomeTarget;
  readonly outcome: Outcome;
}

/** Where an outcome belongs and who waits for it. */
export interface OutcomeTarget {
  readonly kind: Tally['kind'];
  readonly program?: string | undefined;
  /** For the log only: what `programIdOf` says, and the caller's own marks. */
  readonly programId?: string | undefined;
  readonly labels?: Readonly<Record<string, string>> | undefined;
  readonly jobId: string;
  readonly lane: string;
  /** Whose bytes the outcome counts as; '' where the job's own record cannot be believed. */
  readonly owner: string;
  readonly issuedAt: number;
  readonly resultTtlMs: number;
  readonly replyTo: string | null;
  readonly traceparent: string | null;
  /** Its spans are exported although its trace is not sampled. */
  readonly traced?: true;
  /** Given when the job was taken. */
  readonly token: string;
  readonly attempts: readonly Attempt[];
}

/** Sealed, and not yet written. */
export interface PreparedOutcome {
  readonly finish: FinishJobArguments;
  /** To be told what became of it, for the log. */
  readonly onWritten: (written: FinishVerdict) => void;
}

const NOTHING = Buffer.alloc(0);

/** Signs outcomes and writes each once: the record refuses a second one, and one of an attempt that lost its job. */
export class OutcomeWriter {
  private readonly options: OutcomeWriterOptions;

  constructor(options: OutcomeWriterOptions) {
    this.options = options;
  }

  /** Writes it at once. */
  async write(target: OutcomeTarget, verdict: Verdict): Promise<FinishVerdict> {
    return this.settle(target, verdict, await this.prepare(target, verdict));
  }

  /** The like for `prepareLastEnd`. */
  async writeLastEnd(target: OutcomeTarget, parts: OutcomeParts): Promise<FinishVerdict> {
    return this.settle(target, parts.outcome, await this.prepareLastEnd(target, parts));
  }

  /** For whoever writes it himself, with `finishJob` or as a part of something larger. */
  prepare(target: OutcomeTarget, verdict: Verdict, report?: RunReport, isolation?: Outcome['isolation']): Promise<PreparedOutcome> {
    return this.seal(target, this.compose(target, verdict, report, isolation));
  }

  /** Makes the recorded end of an attempt the outcome: the retry that was due after it does not come any more. */
  prepareLastEnd(target: OutcomeTarget, { outcome, ...streams }: OutcomeParts): Promise<PreparedOutcome> {
    const { workerId, level } = this.options;
    const { attempts, issuedAt } = target;
    const finishedAt = Date.now();
    const totalMs = Math.max(outcome.timings.runMs, finishedAt - issuedAt);
    const timings = { ...outcome.timings, totalMs, queuedMs: round(totalMs - outcome.timings.runMs) };
    return this.seal(target, { outcome: { ...outcome, attempts, timings, finishedAt, worker: workerId, level }, ...streams });
  }

  private async settle(
    target: OutcomeTarget,
    end: Pick<Verdict, 'status' | 'error'>,
    { finish, onWritten }: PreparedOutcome,
  ): Promise<FinishVerdict> {
    const { redis, tracing, workerId } = this.options;
    const written = await redis.finishJob(...finish.keys, ...finish.values);
    onWritten(written);
    if (written === 'written') traceSettled(tracing, target, end, workerId);
    return written;
  }

  private async seal(target: OutcomeTarget, parts: OutcomeParts): Promise<PreparedOutcome> {
    const { keys, keyRing } = this.options;
    const sealed = await inTurns(sealingOutcome(keyRing, parts));
    const { status, error } = parts.outcome;
    const tally = formatTally({ ...target, status, worker: this.options.workerId, errorType: error?.type });
    return {
      finish: {
        keys: finishJobKeys(keys, target.lane, target.jobId, target.owner),
        values: [target.token, sealed, target.resultTtlMs, target.replyTo ?? '', target.jobId, MAX_PUBLISHED_BYTES, tally],
      },
      onWritten: (written) => {
        if (written === 'written') this.options.onWritten?.({ target, outcome: parts.outcome });
        this.log(target, parts.outcome, written);
      },
    };
  }

  private log(target: OutcomeTarget, { status, error, isolation, timings }: Outcome, written: FinishVerdict): void {
    const { logger, logJobs = 'all' } = this.options;
    const isTold = logJobs === 'all' || (logJobs === 'unsuccessful' && status !== 'succeeded');
    if (written === 'written' && !isTold) return;
    const { jobId, owner, lane, labels, kind, programId, attempts } = target;
    const fields = {
      jobId, traceId: traceIdOf(target.traceparent), owner, lane, labels, kind, program: programId, status, errorType: error?.type, isolation,
      attempts: attempts.length, queuedMs: timings.queuedMs, runMs: timings.runMs, cpuMs: timings.cpuMs,
    }; // prettier-ignore
    if (written === 'written') logger.info(fields, 'job finished');
    else logger.warn({ ...fields, written }, 'outcome not written: the job is no longer this attempt’s');
  }

  /** The outcome as it would be written. */
  compose(target: OutcomeTarget, verdict: Verdict, report?: RunReport, isolation?: Outcome['isolation']): OutcomeParts {
    const finishedAt = Date.now();
    return {
      outcome: {
        version: 1,
        jobId: target.jobId,
        status: verdict.status,
        hasValue: verdict.hasValue,
        error: verdict.error,
        truncated: report !== undefined && (report.stdout.truncated || report.stderr.truncated),
        limitsHit: verdict.limitsHit,
        timings: timingsOf(target, report, finishedAt),
        worker: this.options.workerId,
        level: this.options.level,
        ...(isolation && { isolation }),
        attempts: endAttempts(target.attempts, report && verdict, finishedAt),
        finishedAt,
        ...(target.traced && { traced: true }),
      },
      value: (verdict.hasValue ? report?.answer?.value : undefined) ?? NOTHING,
      stdout: report?.stdout.bytes ?? NOTHING,
      stderr: report?.stderr.bytes ?? NOTHING,
    };
  }
}

/** Clocks of hosts differ a little; no figure may come out negative. */
function timingsOf(target: OutcomeTarget, report: RunReport | undefined, finishedAt: number): OutcomeTimings {
  const totalMs = Math.max(0, finishedAt - target.issuedAt);
  const runMs = round(report?.runMs ?? 0);
  return {
    queuedMs: round(Math.max(0, totalMs - runMs)),
    runMs,
    totalMs: Math.max(totalMs, runMs),
    cpuMs: round(report?.exit.cpuMs ?? 0),
    maxMemoryBytes: report?.maxMemoryBytes ?? 0,
  };
}

const round = (milliseconds: number): number => Math.round(milliseconds * 100) / 100;
