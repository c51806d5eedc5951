import { randomUUID } from 'node:crypto';
import type { Redis } from 'ioredis';
import {
  finishJobKeys, formatTally, inTurns, MAX_PUBLISHED_BYTES, PIECE_BYTES, sealingOutcome, traceIdOf,
  type Config, type FinishJobArguments, type FinishVerdict, type IsolationLevel, type KeyRing, type LargeContent, type Logger, type Outcome, type OutcomeParts, type OutcomeTimings, type RedisKeys,
} from '@python3-cluster/shared'; // prettier-ignore
import { endAttempts } from './attempt-ends';
import type { RunReport } from './run-in-slot';
import type { Verdict } from './judge-run';
import type { OutcomeTarget } from './outcome-target';

export interface OutcomeWriterOptions {
  readonly redis: Redis;
  /** How outcomes go that are too large to stand before a renewal of a lock. */
  readonly large: LargeContent;
  readonly keys: RedisKeys;
  readonly keyRing: KeyRing;
  readonly workerId: string;
  readonly level: IsolationLevel;
  /** Told of each job whose outcome is written. */
  readonly onWritten?: (written: WrittenOutcome) => void;
  /** Told of each job that ended without having been run here. */
  readonly onSettled?: ((target: OutcomeTarget, end: SettledEnd) => void) | undefined;
  /** Of which jobs a line is logged; absent: all. */
  readonly logJobs?: Config['logJobs'];
  readonly logger: Logger;
}

export type SettledEnd = Pick<Verdict, 'status' | 'error'>;

export interface WrittenOutcome {
  readonly target: OutcomeTarget;
  readonly outcome: Outcome;
}

/** Sealed, a large one staged, and not yet written. */
export interface PreparedOutcome {
  readonly finish: FinishJobArguments;
  /** Stages it anew, where a failover of Redis has lost what was staged (`unstaged`); absent where it is small. */
  readonly stageAgain?: (() => Promise<void>) | undefined;
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

  private async settle(target: OutcomeTarget, end: SettledEnd, { finish, stageAgain, onWritten }: PreparedOutcome): Promise<FinishVerdict> {
    const { redis, onSettled } = this.options;
    const write = (): Promise<FinishVerdict> => redis.finishJob(...finish.keys, ...finish.values);
    const written = await untilStaged(write, (verdict) => verdict, stageAgain);
    onWritten(written);
    if (written === 'written') onSettled?.(target, end);
    return written;
  }

  private async seal(target: OutcomeTarget, parts: OutcomeParts): Promise<PreparedOutcome> {
    const { keys, keyRing, large } = this.options;
    const sealed = await inTurns(sealingOutcome(keyRing, parts));
    const staged = sealed.length > PIECE_BYTES ? { key: keys.staged(target.lane, randomUUID()), bytes: sealed.length } : undefined;
    const stage = staged && (async (): Promise<void> => void (await large.stage(staged.key, sealed)));
    await stage?.();
    const { status, error } = parts.outcome;
    const tally = formatTally({ ...target, status, worker: this.options.workerId, errorType: error?.type });
    return {
      finish: {
        keys: finishJobKeys(keys, target.lane, target.jobId, target.owner),
        values: [
          target.token, staged ? NOTHING : sealed, target.resultTtlMs, target.replyTo ?? '', target.jobId, MAX_PUBLISHED_BYTES, tally,
          ...(staged ? [staged.key, staged.bytes] as const : [] as const),
        ], // prettier-ignore
      },
      stageAgain: stage,
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

/** How often content may be lost on its way before that is no failover. */
const MOST_STAGINGS = 3;

/**
 * Writes, and where what was staged is gone stages it and writes again.
 * @throws Error where it keeps being gone, and what Redis answers
 */
export async function untilStaged<T>(
  write: () => Promise<T>,
  verdictOf: (answer: T) => FinishVerdict,
  stageAgain: (() => Promise<void>) | undefined,
): Promise<T> {
  for (let staging = 0; ; staging += 1) {
    const answer = await write();
    if (verdictOf(answer) !== 'unstaged') return answer;
    if (stageAgain === undefined || staging >= MOST_STAGINGS) throw new Error('Redis keeps losing the staged outcome of a job');
    await stageAgain();
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
