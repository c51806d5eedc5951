import type { Redis } from 'ioredis';
import {
  finishJobKeys, MAX_PUBLISHED_BYTES, sealOutcome,
  type Attempt, type FinishJobArguments, type FinishVerdict, type IsolationLevel, type KeyRing, type Logger, type Outcome, type OutcomeParts, type OutcomeTimings, type RedisKeys,
} from '@python3-cluster/shared'; // prettier-ignore
import type { RunReport } from './run-in-slot';
import type { Verdict } from './judge-run';

export interface OutcomeWriterOptions {
  readonly redis: Redis;
  readonly keys: RedisKeys;
  readonly keyRing: KeyRing;
  readonly workerId: string;
  readonly level: IsolationLevel;
  readonly logger: Logger;
}

/** Where an outcome belongs and who waits for it. */
export interface OutcomeTarget {
  readonly jobId: string;
  readonly lane: string;
  readonly issuedAt: number;
  readonly resultTtlMs: number;
  readonly replyTo: string | null;
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

  async write(target: OutcomeTarget, verdict: Verdict): Promise<FinishVerdict> {
    const { finish, onWritten } = this.prepare(target, verdict);
    const written = await this.options.redis.finishJob(...finish.keys, ...finish.values);
    onWritten(written);
    return written;
  }

  /** For whoever writes it himself, with `finishJob` or as a part of something larger. */
  prepare(target: OutcomeTarget, verdict: Verdict, report?: RunReport, isolation?: Outcome['isolation']): PreparedOutcome {
    const { keys, keyRing, logger } = this.options;
    const sealed = sealOutcome(keyRing, this.compose(target, verdict, report, isolation));
    return {
      finish: {
        keys: finishJobKeys(keys, target.lane, target.jobId),
        values: [target.token, sealed, target.resultTtlMs, target.replyTo ?? '', target.jobId, MAX_PUBLISHED_BYTES],
      },
      onWritten: (written) => {
        const fields = { jobId: target.jobId, status: verdict.status, errorType: verdict.error?.type, runMs: report?.runMs };
        if (written === 'written') logger.info(fields, 'job finished');
        else logger.warn({ ...fields, written }, 'outcome not written: the job is no longer this attempt’s');
      },
    };
  }

  private compose(target: OutcomeTarget, verdict: Verdict, report?: RunReport, isolation?: Outcome['isolation']): OutcomeParts {
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
        attempts: target.attempts,
        finishedAt,
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
