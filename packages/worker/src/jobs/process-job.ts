import { randomBytes } from 'node:crypto';
import type { Redis } from 'ioredis';
import {
  hasErrorCode, MAX_STARTS, openJobHead, RECORD_FIELDS,
  type Attempt, type Config, type Job, type KeyRing, type Logger, type QueueEntry, type RedisKeys,
} from '@python3-cluster/shared'; // prettier-ignore
import type { Pool } from '../pool/pool';
import type { Slot } from '../pool/slot';
import type { TemplateKeepers } from '../runner/template-keepers';
import { judgeRun, rejected, stopped } from './judge-run';
import type { OutcomeTarget, OutcomeWriter } from './outcome-writer';
import { runInSlot, type RunReport } from './run-in-slot';
import { verifyJob } from './verify-job';

export interface JobProcessorOptions {
  readonly config: Config;
  readonly redis: Redis;
  readonly keys: RedisKeys;
  readonly keyRing: KeyRing;
  readonly pool: Pool;
  readonly templates: TemplateKeepers;
  readonly outcomes: OutcomeWriter;
  readonly workerId: string;
  readonly allowedModules: readonly string[];
  readonly logger: Logger;
}

export interface ReceivedJob {
  readonly lane: string;
  readonly jobId: string;
  readonly entry: QueueEntry;
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

/**
 * One job's way through a worker node:
 *
 *   content → verify → slot → start marker → child → judge → sealed outcome
 *
 * What the code did is an outcome. Only a failure of ours (Redis, a template) is thrown, and the queue delivers again.
 */
export class JobProcessor {
  private readonly options: JobProcessorOptions;

  constructor(options: JobProcessorOptions) {
    this.options = options;
  }

  async process(received: ReceivedJob): Promise<Processed> {
    const { lane, jobId } = received;
    const sealed = await this.loadContent(received);
    if (sealed === undefined) return this.reject(received, 'PAYLOAD_MISSING', 'the payload of the job is gone');
    const verification = verifyJob(this.options.keyRing, lane, jobId, sealed, Date.now());
    if (!verification.ok) return this.reject(received, verification.code, verification.message);
    const { job, payload } = verification;
    if (isTooLate(job)) return this.expire(job);
    const slot = await this.borrowSlot(job);
    if (slot === 'busy') return 'busy';
    if (slot === 'rejected') return 'done';
    try {
      // The wait for the slot may have taken the rest of the caller's time.
      if (isTooLate(job)) return await this.expire(job);
      return await this.runAttempts(job, payload, slot, received.signal);
    } finally {
      this.options.pool.release(slot);
    }
  }

  private async loadContent({ lane, jobId, entry }: ReceivedJob): Promise<Buffer | undefined> {
    if ('sealed' in entry) return Buffer.from(entry.sealed, 'utf8');
    return (await this.options.redis.getBuffer(this.options.keys.jobPayload(lane, jobId))) ?? undefined;
  }

  private async borrowSlot(job: Job): Promise<Slot | 'busy' | 'rejected'> {
    try {
      return await this.options.pool.borrow();
    } catch (error) {
      if (!hasErrorCode(error, 'POOL_BUSY')) throw error;
      if (job.startBefore === null) return 'busy';
      await this.options.outcomes.write(targetOf(job), rejected('POOL_BUSY', (error as Error).message));
      return 'rejected';
    }
  }

  /** A job is started again here only if its template went down under it and it may run twice. */
  private async runAttempts(job: Job, payload: Buffer, slot: Slot, signal: AbortSignal): Promise<Processed> {
    for (;;) {
      const token = randomBytes(12).toString('hex');
      const { keys, redis, workerId, logger } = this.options;
      const record = keys.jobRecord(job.lane, job.id);
      // Forked while the marker is written: neither needs the other.
      const forked = this.options.templates.takeChild(job.mode);
      forked.catch(() => undefined);
      const [verdict, attemptsJson] = await redis.startJobAttempt(record, token, workerId, Date.now(), job.delivery, MAX_STARTS);
      if (verdict !== 'start') {
        void forked.then((child) => child.kill());
        return this.handleNoStart(job, verdict, token, JSON.parse(attemptsJson) as Attempt[]);
      }
      const attempts = JSON.parse(attemptsJson) as Attempt[];
      const report = await this.runOnce(job, payload, slot, forked, signal);
      if (report.killReason === 'cancelled') {
        logger.warn({ jobId: job.id, reason: signal.reason as string }, 'the job was ended here, and nothing is written for it');
        return signal.reason === LOCK_LOST ? 'lost' : 'stopped';
      }
      const finished = judgeRun(report, job.limits);
      if (report.templateLost && finished.status === 'crashed') {
        logger.warn({ jobId: job.id }, 'the template went down under the job');
        continue;
      }
      await this.options.outcomes.write({ ...targetOf(job), token, attempts }, finished, report);
      return 'done';
    }
  }

  private async runOnce(
    job: Job,
    payload: Buffer,
    slot: Slot,
    forked: ReturnType<TemplateKeepers['takeChild']>,
    signal: AbortSignal,
  ): Promise<RunReport & { templateLost: boolean }> {
    const { config, allowedModules, templates } = this.options;
    const child = await forked;
    const templatePid = templates.pidOf(job.mode);
    const report = await runInSlot({ job, payload, slot, child, config, allowedModules, signal });
    // A child that dies with its template is not the code's doing.
    return { ...report, templateLost: report.answer === undefined && templates.pidOf(job.mode) !== templatePid };
  }

  private async handleNoStart(
    job: Job,
    verdict: 'unknown' | 'finished' | 'lost' | 'exhausted',
    token: string,
    attempts: Attempt[],
  ): Promise<Processed> {
    const { outcomes, logger } = this.options;
    if (verdict === 'unknown' || verdict === 'finished') {
      // The outcome that stands is the truth; a second entry under the id is somebody's replay, and is not run.
      logger.error(
        { event: 'security', code: 'JOB_REPLAYED', jobId: job.id, lane: job.lane },
        'a finished or unknown job stood in the queue; not run',
      );
      return 'done';
    }
    await outcomes.write({ ...targetOf(job), token, attempts }, stopped(verdict, attempts.length));
    return 'done';
  }

  private async expire(job: Job): Promise<Processed> {
    await this.options.outcomes.write(targetOf(job), stopped('expired', 0));
    return 'done';
  }

  /** Refuses a job whose content cannot be believed: where the outcome goes is read from its sealed record instead. */
  private async reject({ lane, jobId }: ReceivedJob, code: Parameters<typeof rejected>[0], message: string): Promise<Processed> {
    const { redis, keys, keyRing, config, logger, outcomes } = this.options;
    logger.error({ event: 'security', code, jobId, lane }, `job refused: ${message}`);
    const sealedHead = await redis.hgetBuffer(keys.jobRecord(lane, jobId), RECORD_FIELDS.job);
    const head = sealedHead ? openJobHead(keyRing, jobId, sealedHead) : undefined;
    const target = head
      ? targetOf(head)
      : { jobId, lane, issuedAt: Date.now(), resultTtlMs: config.resultTtlSeconds * 1_000, replyTo: null, token: '', attempts: [] };
    await outcomes.write({ ...target, lane }, rejected(code, message));
    return 'done';
  }
}

const isTooLate = (job: Job): boolean => job.startBefore !== null && Date.now() > job.startBefore;

function targetOf(job: Job): OutcomeTarget {
  return {
    jobId: job.id,
    lane: job.lane,
    issuedAt: job.issuedAt,
    resultTtlMs: job.resultTtlMs,
    replyTo: job.replyTo,
    token: '',
    attempts: [],
  };
}
