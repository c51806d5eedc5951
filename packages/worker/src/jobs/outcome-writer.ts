import type { Redis } from 'ioredis';
import {
  finishJobKeys, formatTally, inTurns, MAX_PUBLISHED_BYTES, sealingOutcome, traceIdOf,
  type FinishJobArguments, type FinishVerdict, type IsolationLevel, type KeyRing, type Logger, type Outcome, type OutcomeParts, type OutcomeTimings, type RedisKeys,
} from '@python3-cluster/shared'; // prettier-ignore
import { endAttempts } from './attempt-ends';
import type { RunReport } from './run-in-slot';
import type { Verdict } from './judge-run';
import type { OutcomeTarget } from './outcome-target';

export interface OutcomeWriterOptions {
  readonly redis: Redis;
  readonly keys: RedisKeys;
  readonly keyRing: KeyRing;
  readonly workerId: string;
  readonly level: IsolationLevel;
  /** Told of each job whose outcome is written. */
  readonly onWritten?: (written: WrittenOutcome) => void;
  /** Told of each job that ended without having been run here. */
  readonly onSettled?: ((target: OutcomeTarget, end: SettledEnd) => void) | undefined;
  readonly logger: Logger;
}

export type SettledEnd = Pick<Verdict, 'status' | 'error'>;

export interface WrittenOutcome {
  readonly target: OutcomeTarget;
  readonly outcome: Outcome;
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

  private async settle(target: OutcomeTarget, end: SettledEnd, { finish, onWritten }: PreparedOutcome): Promise<FinishVerdict> {
    const { redis, onSettled } = this.options;
    const written = await redis.finishJob(...finish.keys, ...finish.values);
    onWritten(written);
    if (written === 'written') onSettled?.(target, end);
    return written;
  }

  private async seal(target: OutcomeTarget, parts: OutcomeParts): Promise<PreparedOutcome> {
    const { keys, keyRing, logger } = this.options;
    const sealed = await inTurns(sealingOutcome(keyRing, parts));
    const { status, error, timings } = parts.outcome;
    const tally = formatTally({ ...target, status, worker: this.options.workerId, errorType: error?.type });
    return {
      finish: {
        keys: finishJobKeys(keys, target.lane, target.jobId, target.owner),
        values: [target.token, sealed, target.resultTtlMs, target.replyTo ?? '', target.jobId, MAX_PUBLISHED_BYTES, tally],
      },
      onWritten: (written) => {
        if (written === 'written') this.options.onWritten?.({ target, outcome: parts.outcome });
        const fields = {
          jobId: target.jobId,
          traceId: traceIdOf(target.traceparent),
          status,
          errorType: error?.type,
          runMs: timings.runMs,
        };
        if (written === 'written') logger.info(fields, 'job finished');
        else logger.warn({ ...fields, written }, 'outcome not written: the job is no longer this attempt’s');
      },
    };
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
