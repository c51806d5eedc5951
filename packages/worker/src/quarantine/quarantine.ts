import type { Redis } from 'ioredis';
import {
  listenOn,
  asBreach, BASE_ENVIRONMENT, createEvidenceId, findQuarantine, firstLineOf, isHalfOpen, openEvidence, programIdOf, programIdOfSlices, quarantineIdOf, quarantineMessage, sealEvidence, sliceProgram,
  type Config, type Job, type KeyRing, type Logger, type OutcomeStatus, type QuarantineEntry, type QuarantineEvidence, type QuarantineList, type RedisKeys,
} from '@python3-cluster/shared'; // prettier-ignore
import { countsAsBreach } from './counts-as-breach';
import { Suspects, type Conviction } from './suspects';

export interface QuarantineOptions {
  readonly config: Config;
  readonly redis: Redis;
  readonly keys: RedisKeys;
  readonly keyRing: KeyRing;
  readonly list: QuarantineList;
  readonly workerId: string;
  readonly logger: Logger;
}

/** Whether a job may start, as far as its program goes. */
export type Admission =
  | { readonly isAdmitted: false; readonly message: string }
  | { readonly isAdmitted: true; /** The entry whose trial this job is. */ readonly trialOf?: QuarantineEntry };

const ADMITTED: Admission = { isAdmitted: true };

/** Between two messages of how many runs of suspect programs were clean. */
const CLEAN_NEWS_MS = 1_000;
/** A trial whose node was lost keeps others from trying for no longer than its own time and this. */
const TRIAL_MARGIN_MS = 60_000;

interface CleanRuns {
  readonly owner: string;
  readonly program: string;
  count: number;
}

/**
 * Keeps programs from running that keep crashing or breaking their limits.
 *
 *   a run's end ─▶ evidence, sealed ─▶ channel ─▶ every node's `Suspects` ─conviction─▶ sealed entry in Redis
 *                                                                                          │
 *   before a start: `admit` ◀── `QuarantineList`, a copy of all entries ◀──────────────────┘
 *
 * Runs that broke nothing cost a look into two Maps, unless their caller has a suspect program.
 */
export class Quarantine {
  private readonly options: QuarantineOptions;
  private readonly suspects: Suspects;
  private readonly clean = new Map<string, CleanRuns>();
  private timer: NodeJS.Timeout | undefined;

  constructor(options: QuarantineOptions) {
    this.options = options;
    const { quarantineBreaches, quarantineWindowSeconds } = options.config;
    this.suspects = new Suspects({ breaches: quarantineBreaches, windowMs: quarantineWindowSeconds * 1_000 });
  }

  /**
   * Hears of other nodes' runs through a subscriber that it shares, and resolves when it knows what is quarantined: nothing
   * should be fetched before.
   */
  async start(subscriber: Redis): Promise<void> {
    const { keys, list, logger } = this.options;
    listenOn(subscriber, { channels: [keys.quarantineChannel], onMessage: (message) => this.handle(message), logger });
    this.timer = setInterval(() => this.tellClean(), CLEAN_NEWS_MS);
    await list.start();
  }

  stop(): void {
    clearInterval(this.timer);
    this.options.list.stop();
    this.suspects.stop();
  }

  /** To be asked when all else says that the job may start; `settle` must follow where it is admitted. */
  async admit(job: Job, payload: Buffer): Promise<Admission> {
    const { list, redis, keys } = this.options;
    const entry = await findQuarantine(list, job, payload);
    if (entry === undefined) return ADMITTED;
    const refused: Admission = { isAdmitted: false, message: quarantineMessage(entry) };
    if (!isHalfOpen(entry)) return refused;
    const trial = keys.quarantineTrial(entry.id);
    const isFirst = await redis.set(trial, job.id, 'PX', job.limits.timeoutMs + TRIAL_MARGIN_MS, 'NX');
    return isFirst !== null || (await redis.get(trial)) === job.id ? { isAdmitted: true, trialOf: entry } : refused;
  }

  /** What the run says about its program; undefined: nothing, as it did not come to an end of its own. Never fails. */
  async settle(job: Job, payload: Buffer, admission: Admission, status: OutcomeStatus | undefined): Promise<void> {
    const { config, logger } = this.options;
    if (config.quarantineBreaches === 0 || !admission.isAdmitted) return;
    try {
      const breach = status !== undefined && countsAsBreach(status, job.limits, config) ? asBreach(status) : undefined;
      const isClean = status === 'succeeded' || status === 'failed';
      if (admission.trialOf !== undefined) await this.endTrial(job, admission.trialOf, { breach, isClean });
      else if (breach !== undefined) await this.accuse(job, payload, breach);
      else if (isClean && this.suspects.hasAny(job.owner)) await this.countClean(job, payload);
    } catch (error) {
      logger.warn({ jobId: job.id, error: String(error) }, 'the end of a run was not counted for or against its program');
    }
  }

  private async accuse(job: Job, payload: Buffer, status: NonNullable<ReturnType<typeof asBreach>>): Promise<void> {
    const slices = await sliceProgram(job.kind, payload);
    if (slices === undefined) return;
    const program = programIdOfSlices(job.kind, slices);
    const firstLine = job.kind === 'call' || slices[0] === undefined ? (job.program ?? '') : firstLineOf(slices[0]);
    // What was clean before must not come after.
    this.tellClean();
    await this.tell({ owner: job.owner, program, breach: { status, jobId: job.id, firstLine, labels: job.labels ?? {} }, count: 1 });
  }

  private async countClean(job: Job, payload: Buffer): Promise<void> {
    const program = await programIdOf(job.kind, payload);
    if (program === undefined || !this.suspects.isSuspect(job.owner, program)) return;
    const key = `${job.owner}\n${program}`;
    const runs = this.clean.get(key) ?? { owner: job.owner, program, count: 0 };
    runs.count += 1;
    this.clean.set(key, runs);
  }

  private tellClean(): void {
    for (const { owner, program, count } of this.clean.values()) void this.tell({ owner, program, breach: null, count });
    this.clean.clear();
  }

  /** A job speaks against its program once, however often it was started: its id is that of its evidence. */
  private async tell(told: Pick<QuarantineEvidence, 'owner' | 'program' | 'breach' | 'count'>): Promise<void> {
    const { redis, keys, keyRing, workerId, logger } = this.options;
    const evidence: QuarantineEvidence = {
      version: 1, id: told.breach?.jobId ?? createEvidenceId(), environment: BASE_ENVIRONMENT, worker: workerId, at: Date.now(), ...told,
    }; // prettier-ignore
    redis
      .publish(keys.quarantineChannel, sealEvidence(keyRing, keys, evidence))
      .catch((error: unknown) => logger.debug({ error: String(error) }, 'quarantine evidence'));
    await this.hear(evidence);
  }

  private handle(message: Buffer): void {
    const { keys, keyRing, list, logger } = this.options;
    if (message.length === 0) return void list.look();
    const evidence = openEvidence(keyRing, keys, message);
    if (evidence === undefined) {
      logger.error(
        { event: 'security', errorCode: 'RECORD_UNVERIFIED' },
        'quarantine evidence that is not signed by this cluster is ignored',
      );
      return;
    }
    this.hear(evidence).catch((error: unknown) => logger.warn({ error: String(error) }, 'quarantine evidence was not heard'));
  }

  private async hear(evidence: QuarantineEvidence): Promise<void> {
    for (const conviction of await this.suspects.hear(evidence)) await this.convict(conviction);
  }

  /** Every node comes to the same end; the entries differ in nothing that matters. */
  private async convict({ key, ...why }: Conviction): Promise<void> {
    const { config, list, logger } = this.options;
    const id = quarantineIdOf(key);
    const standing = list.get(id);
    if (standing !== undefined && !isHalfOpen(standing)) return;
    const at = Date.now();
    const until = at + config.quarantineSeconds * 1_000;
    await list.put({ version: 1, state: 'quarantined', id, ...key, at, until, ...why });
    logger.error(
      // Not its first line: code is never logged.
      { event: 'quarantine', quarantineId: id, owner: key.owner, program: key.program, until, ...withoutCode(why) },
      'a program keeps crashing or breaking its limits; it is quarantined',
    );
  }

  private async endTrial(job: Job, entry: QuarantineEntry, end: { breach?: ReturnType<typeof asBreach>; isClean: boolean }): Promise<void> {
    const { config, list, redis, keys, logger } = this.options;
    const fields = { quarantineId: entry.id, owner: entry.owner, program: entry.program, jobId: job.id };
    const at = Date.now();
    if (end.breach !== undefined) {
      const until = at + config.quarantineSeconds * 1_000;
      await list.put({ ...entry, at, until, breaches: entry.breaches + 1, lastStatus: end.breach, lastJobId: job.id });
      logger.error({ event: 'quarantine', ...fields, until }, 'a trial of a quarantined program broke its limits; it stays quarantined');
    } else if (end.isClean) {
      const { version, id, owner, program, environment } = entry;
      await list.put({ version, state: 'released', id, owner, program, environment, at, until: entry.until, by: 'trial' });
      this.suspects.acquit(id);
      logger.info({ event: 'quarantine', ...fields }, 'a trial of a quarantined program broke no limit; it is released');
    } else if ((await redis.get(keys.quarantineTrial(entry.id))) === job.id) {
      await redis.del(keys.quarantineTrial(entry.id));
    }
  }
}

const withoutCode = ({ breaches, lastStatus, lastJobId, workers }: Omit<Conviction, 'key'>): object => ({
  breaches,
  lastStatus,
  lastJobId,
  workers,
});
