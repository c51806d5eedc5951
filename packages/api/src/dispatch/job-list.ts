import {
  ClusterError, inTurns, laneOfJobId, openingOutcome, openJobHead, RECORD_FIELDS,
  type Attempt, type Job, type JobState, type KeyRing, type LargeContent, type Logger, type Outcome, type OutcomeStatus, type RedisKeys, type RunKind,
} from '@python3-cluster/shared'; // prettier-ignore
import type { Redis } from 'ioredis';
import { parseAttempts, parseTime } from './outcome-store';
import { parseState, shownState } from './shown-state';

export interface JobFilter {
  readonly state: JobState | undefined;
  readonly status: OutcomeStatus | undefined;
  readonly lane: string | undefined;
  readonly kind: RunKind | undefined;
  readonly label: { readonly name: string; readonly value: string } | undefined;
}

/** A place in a list, newest first: what comes after this job. */
export interface ListPosition {
  readonly acceptedAt: number;
  readonly jobId: string;
}

export interface ListQuery {
  /** undefined: everybody's. */
  readonly owner: string | undefined;
  readonly filter: JobFilter;
  readonly limit: number;
  readonly after: ListPosition | undefined;
}

/** What a list says of a job: nothing of its code, values or output. */
export interface ListedJob {
  readonly job: Job;
  readonly state: JobState;
  readonly attempts: readonly Attempt[];
  readonly cancelRequestedAt: number | null;
  readonly retryAt: number | null;
  /** undefined: there is none, or it is not believed. */
  readonly outcome: Outcome | undefined;
}

export interface JobPage {
  readonly jobs: readonly ListedJob[];
  /** undefined: there are no more. */
  readonly next: ListPosition | undefined;
}

export interface JobList {
  /** @throws ClusterError QUEUE_UNAVAILABLE */
  readonly read: (query: ListQuery) => Promise<JobPage>;
}

/** Index entries looked at for one page, and at a time. A filter that fits little gives short pages, not long waits. */
const MAX_SCANNED = 2_000;
const CHUNK = 200;

/** An outcome is believed only as a whole, so it is read as a whole. A page ends early where that becomes too much. */
const MAX_READ_BYTES = 16 * 1_048_576;

export function createJobList(tools: { redis: Redis; large: LargeContent; keys: RedisKeys; keyRing: KeyRing; logger: Logger }): JobList {
  return {
    read: async (query) => {
      try {
        return await readPage(tools, query);
      } catch (error) {
        throw new ClusterError('QUEUE_UNAVAILABLE', 'Redis cannot be reached; the jobs were not listed.', { cause: error });
      }
    },
  };
}

export type Tools = Parameters<typeof createJobList>[0];

/** From the index come ids; each record is then read, and decides. */
async function readPage(tools: Tools, { owner, filter, limit, after }: ListQuery): Promise<JobPage> {
  const index = owner === undefined ? tools.keys.allJobs : tools.keys.ownerJobs(owner);
  const page: Page = { jobs: [], limit, position: after, bytesLeft: MAX_READ_BYTES };
  for (let scanned = 0; scanned < MAX_SCANNED;) {
    const entries = await readIndex(tools.redis, index, page.position);
    if (entries.length === 0) return { jobs: page.jobs, next: undefined };
    scanned += entries.length;
    const heads = await Promise.all(entries.map((entry) => readHead(tools, entry.jobId, owner)));
    forget(tools, index, entries.filter((_, at) => heads[at] === 'gone')); // prettier-ignore
    if (await fillPage(tools, page, entries, heads, filter)) break;
  }
  return { jobs: page.jobs, next: page.position };
}

interface Page {
  readonly jobs: ListedJob[];
  readonly limit: number;
  /** What has been looked at so far. */
  position: ListPosition | undefined;
  bytesLeft: number;
}

/** Puts what fits on the page, and says whether the page is to end. Outcomes are read as many at a time as may be needed. */
async function fillPage(
  tools: Tools,
  page: Page,
  entries: readonly ListPosition[],
  heads: readonly (Head | 'gone' | undefined)[],
  filter: JobFilter,
): Promise<boolean> {
  let isFull = false;
  for (let at = 0; at < entries.length && !isFull;) {
    const batch: Head[] = [];
    for (; at < entries.length && batch.length < page.limit - page.jobs.length && !isFull; at += 1) {
      const head = heads[at];
      if (typeof head === 'object' && mayFit(head, filter)) {
        batch.push(head);
        page.bytesLeft -= head.outcomeBytes;
        isFull = page.bytesLeft <= 0;
      }
      page.position = entries[at];
    }
    const listed = await Promise.all(batch.map((head) => readOutcome(tools, head)));
    page.jobs.push(...listed.filter((job) => fits(job, filter)));
    isFull ||= page.jobs.length === page.limit;
  }
  return isFull;
}

/** Not waited for: whoever lists next finds them again, if it fails. */
function forget({ redis }: Tools, index: string, gone: readonly ListPosition[]): void {
  if (gone.length > 0) void redis.zrem(index, ...gone.map((entry) => entry.jobId)).catch(() => undefined);
}

/**
 * The next entries after a position. Ids accepted in one millisecond stand in the order of their text, descending; those
 * at or before the position are left out here, as Redis can only begin at a score.
 */
async function readIndex(redis: Redis, index: string, after: ListPosition | undefined): Promise<ListPosition[]> {
  for (let count = CHUNK; ; count *= 4) {
    const start = after === undefined ? '+inf' : String(after.acceptedAt);
    const flat = await redis.zrevrangebyscore(index, start, '-inf', 'WITHSCORES', 'LIMIT', 0, count);
    const found: ListPosition[] = [];
    for (let at = 0; at < flat.length; at += 2) found.push({ jobId: flat[at] as string, acceptedAt: Number(flat[at + 1]) });
    const next = found.filter((entry) => after === undefined || entry.acceptedAt < after.acceptedAt || entry.jobId < after.jobId);
    if (next.length > 0 || found.length < count) return next;
  }
}

export interface Head extends Omit<ListedJob, 'outcome'> {
  readonly outcomeBytes: number;
  /** Whether it stands under a key of its own. */
  readonly isApart: boolean;
}

/** `gone`: there is no record. undefined: one that is not believed, or is another owner's, is not listed. */
export async function readHead(
  { redis, keys, keyRing, logger }: Tools,
  jobId: string,
  owner: string | undefined,
): Promise<Head | 'gone' | undefined> {
  const lane = laneOfJobId(jobId);
  if (lane === undefined) return 'gone';
  const { job, state, attempts, cancelRequested, retryAt, outcome, outcomeBytes } = RECORD_FIELDS;
  const record = keys.jobRecord(lane, jobId);
  const [[sealed, stateText, attemptsText, cancelText, retryText, sizeApart], sizeWithin] = await Promise.all([
    redis.hmgetBuffer(record, job, state, attempts, cancelRequested, retryAt, outcomeBytes),
    redis.hstrlen(record, outcome),
  ]);
  if (!sealed || !stateText) return 'gone';
  const head = openJobHead(keyRing, jobId, sealed);
  if (head === undefined) {
    logger.error(
      { event: 'security', errorCode: 'OUTCOME_UNVERIFIED', jobId },
      'a job record that is not sealed by this cluster is not listed',
    );
    return undefined;
  }
  if (owner !== undefined && head.owner !== owner) return undefined;
  return {
    job: head,
    state: shownState(parseState(stateText), { startAfter: head.startAfter, retryAt: parseTime(retryText) }),
    attempts: parseAttempts(attemptsText),
    cancelRequestedAt: parseTime(cancelText),
    retryAt: parseTime(retryText),
    outcomeBytes: sizeWithin || (parseTime(sizeApart) ?? 0),
    isApart: sizeWithin === 0,
  };
}

/** What can be said without the outcome. */
function mayFit({ job, state }: Head, filter: JobFilter): boolean {
  if (filter.lane !== undefined && job.lane !== filter.lane) return false;
  if (filter.kind !== undefined && job.kind !== filter.kind) return false;
  if (filter.label !== undefined && !hasLabel(job, filter.label)) return false;
  if (filter.state !== undefined && state !== filter.state) return false;
  return filter.status === undefined || state === 'finished';
}

const hasLabel = ({ labels = {} }: Job, { name, value }: NonNullable<JobFilter['label']>): boolean =>
  Object.hasOwn(labels, name) && labels[name] === value;

const fits = ({ outcome }: ListedJob, filter: JobFilter): boolean => filter.status === undefined || outcome?.status === filter.status;

async function readOutcome({ large, keys, keyRing }: Tools, { outcomeBytes, isApart, ...head }: Head): Promise<ListedJob> {
  if (outcomeBytes <= 0) return { ...head, outcome: undefined };
  const { id, lane } = head.job;
  const sealed = isApart
    ? await large.read(keys.jobOutcome(lane, id), outcomeBytes)
    : await large.oneOf(() => large.redis.hgetBuffer(keys.jobRecord(lane, id), RECORD_FIELDS.outcome));
  return { ...head, outcome: sealed ? (await inTurns(openingOutcome(keyRing, id, sealed)))?.outcome : undefined };
}
