import type { Redis } from 'ioredis';
import {
  mostStartsOf, STRAY_CONFIRM_MS,
  type Job, type KeyRing, type Logger, type RedisKeys,
} from '@python3-cluster/shared'; // prettier-ignore
import { queueEntryLost, rejected, stopped, type Verdict } from '../jobs/judge-run';
import { readLastEnd } from '../jobs/last-end';
import type { OutcomeWriter } from '../jobs/outcome-writer';
import { targetOf } from '../jobs/outcome-target';
import { readJobHead } from '../jobs/read-job-head';
import { takeJob, UNREADABLE_ATTEMPTS, type TakenJob } from '../jobs/take-job';
import type { Chore } from './housekeeper';
import { StrayFinder } from './stray-finder';

export interface ReconcilerOptions {
  readonly redis: Redis;
  readonly keys: RedisKeys;
  readonly keyRing: KeyRing;
  readonly outcomes: OutcomeWriter;
  readonly workerId: string;
  readonly logger: Logger;
  /** Where a job counts as stray earlier than it should, for tests. */
  readonly ageMs?: number;
  readonly confirmMs?: number;
}

/** Bounds of one pass over one lane: 10,000 jobs looked at, 200 settled. What is left is the next pass's. */
const STEPS_A_PASS = 20;
const SETTLED_A_PASS = 200;

/** Where the walk through a lane's open jobs stands. */
interface Walk {
  cursor: string;
  /** Job id → `performance.now()` when it was first found without entry. */
  suspects: Map<string, number>;
  /** Found in the round that is under way; those not found again are no suspects any more. */
  found: Map<string, number>;
}

/**
 * Gives an outcome to accepted jobs that the queue has lost: an entry that somebody deleted, that was failed by BullMQ's
 * own stall limit (which calls no processor), or whose producer died between record and entry. The record decides as for
 * any job: it is taken with a token of its own, which fences off whoever may still run it, and written once.
 */
export class Reconciler implements Chore {
  readonly name = 'reconcile';
  private readonly options: ReconcilerOptions;
  private readonly finder: StrayFinder;
  private readonly walks = new Map<string, Walk>();

  constructor(options: ReconcilerOptions) {
    this.options = options;
    this.finder = new StrayFinder(options.redis, options.keys, options.ageMs);
  }

  async run(lanes: readonly string[]): Promise<void> {
    for (const lane of lanes) await this.walk(lane);
  }

  private async walk(lane: string): Promise<void> {
    const walk = this.walks.get(lane) ?? { cursor: '0', suspects: new Map<string, number>(), found: new Map<string, number>() };
    this.walks.set(lane, walk);
    let settled = 0;
    for (let step = 0; step < STEPS_A_PASS && settled < SETTLED_A_PASS; step += 1) {
      const { cursor, strays, foreign } = await this.finder.find(lane, walk.cursor);
      for (const jobId of foreign) {
        const fields = { event: 'security', errorCode: 'RECORD_UNVERIFIED', jobId, lane };
        this.options.logger.error(fields, 'what stood in place of an open job’s record was none; removed');
      }
      for (const jobId of strays) {
        if (this.isConfirmed(walk, jobId) && settled < SETTLED_A_PASS) {
          await this.settle(lane, jobId);
          settled += 1;
        }
      }
      walk.cursor = cursor;
      if (cursor !== '0') continue;
      walk.suspects = walk.found;
      walk.found = new Map();
      return;
    }
  }

  /** Remembers the job as found without entry; whether it was so long enough. */
  private isConfirmed(walk: Walk, jobId: string): boolean {
    const now = performance.now();
    const since = walk.suspects.get(jobId) ?? walk.found.get(jobId) ?? now;
    walk.found.set(jobId, since);
    return now - since >= (this.options.confirmMs ?? STRAY_CONFIRM_MS);
  }

  private async settle(lane: string, jobId: string): Promise<void> {
    const { redis, keys, outcomes, logger } = this.options;
    const job = await readJobHead(this.options, lane, jobId);
    if (job?.lane !== lane) {
      // No job that the API signed: nobody was promised anything.
      logger.error({ event: 'security', errorCode: 'JOB_SIGNATURE_INVALID', jobId, lane }, 'an open job without a valid record; dropped');
      await redis.zrem(keys.openJobs(lane), jobId);
      return;
    }
    const taken = await takeJob(this.options, { lane, jobId }, job, 'close');
    const verdict = judgeStray(job, taken);
    if (verdict === undefined) return;
    const target = { ...targetOf(job), ...taken };
    // The queue lost the retry of a job whose code had ended: that end stands.
    const lastEnd = taken.verdict === 'close' ? await readLastEnd(this.options, target) : undefined;
    const { status } = lastEnd?.outcome ?? verdict;
    logger.error({ jobId, lane, starts: taken.attempts.length, status }, 'the queue lost a job; it is settled without it');
    if (lastEnd) await outcomes.writeLastEnd(target, lastEnd);
    else await outcomes.write(target, verdict);
  }
}

/** What becomes of a job without queue entry; nothing if it ended meanwhile. */
function judgeStray(job: Job, { verdict, attempts }: TakenJob): Verdict | undefined {
  if (verdict === 'unknown' || verdict === 'finished' || verdict === 'cancelled') return undefined;
  if (verdict === 'cancel') return stopped('cancelled', attempts);
  if (verdict === 'damaged') return rejected('RECORD_UNVERIFIED', UNREADABLE_ATTEMPTS);
  if (verdict === 'lost') return stopped('lost', attempts);
  return attempts.length >= mostStartsOf(job) ? stopped('exhausted', attempts) : queueEntryLost(job.delivery, attempts.length);
}
