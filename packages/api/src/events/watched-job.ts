import {
  formatPosition,
  errorDefinition,
  hasErrorCode,
  WATCH_LEASE_MS,
  WATCH_RENEW_MS,
  type OutputMessage,
  type OutputPosition,
} from '@python3-cluster/shared';
import type { FinishedRecord, JobRecord } from '../dispatch/outcome-store';
import { toEndedJob, type EndedJob, type JobReader, type ShownState } from './job-reader';

export interface WatchedJobOptions {
  readonly readRecord: () => Promise<JobRecord | undefined>;
  /** Asks for what follows: the worker node, where it is known, else every node of the lane. */
  readonly ask: (position: OutputPosition, worker: string | undefined) => void;
  /** For the link in the record that the last event shows. */
  readonly jaegerUiUrl?: string;
}

/** Places that are asked for at once; readers who are further behind than so many others wait for their turn. */
const MOST_ASKED = 8;
/** How long an ended job's output is held for readers who have not taken all of it; they have it read again. */
const ENDING_HOLD_MS = 1_000;

/**
 * A job that callers of this replica watch: their readers, what they have been told, and what has been asked for.
 *
 *   renewed every WATCH_RENEW_MS:  look into the record (state, outcome) · ask for what follows each reader's place
 *   output heard:                  readers take what is theirs, and what follows is asked for
 *   end heard, or seen:            the record tells the rest
 */
export class WatchedJob {
  private readonly options: WatchedJobOptions;
  private readonly readers = new Set<JobReader>();
  /** Place → when it was asked for. */
  private readonly asked = new Map<string, number>();
  private known: ShownState | undefined;
  private worker: string | undefined;
  private hasEnded = false;
  private ending: EndedJob | undefined;
  private holdTimer: NodeJS.Timeout | undefined;
  private isLooking = false;
  private mustLookAgain = false;

  constructor(options: WatchedJobOptions) {
    this.options = options;
  }

  get isUnwatched(): boolean {
    return this.readers.size === 0;
  }

  add(reader: JobReader, record: JobRecord): void {
    this.readers.add(reader);
    this.learn(record);
    if (!this.hasEnded) this.goOn(reader);
  }

  remove(reader: JobReader): void {
    this.readers.delete(reader);
    if (this.isUnwatched) clearTimeout(this.holdTimer);
  }

  /** The reader can take something again. */
  goOn(reader: JobReader): void {
    if (this.ending !== undefined) return this.serve(reader, this.ending);
    if (this.hasEnded) return void this.look();
    if (this.known !== undefined) reader.sayState(this.known);
    this.ask();
  }

  renew(): void {
    const someCanTake = [...this.readers].some((reader) => reader.canTake);
    if (!this.hasEnded || (this.ending === undefined && someCanTake)) void this.look();
    if (this.hasEnded) return;
    // Whoever answered last may be gone, and another may run the job by now.
    this.worker = undefined;
    this.ask();
  }

  /** A message that was verified. */
  hear(message: OutputMessage): void {
    if (this.hasEnded) return;
    if (message.ended) return void this.look();
    const { attempt, worker, stdout, stderr } = message;
    this.worker = worker;
    this.asked.delete(formatPosition({ attempt, stdout: stdout.offset, stderr: stderr.offset }));
    if (attempt > (this.known?.attempt ?? 0)) {
      this.known = { state: 'active', attempt, worker, cancelRequestedAt: this.known?.cancelRequestedAt ?? null };
    }
    for (const reader of this.readers) {
      if (this.known !== undefined) reader.sayState(this.known);
      reader.take(message);
    }
    this.ask();
  }

  endAll(reason: string): void {
    for (const reader of [...this.readers]) reader.end(reason);
  }

  private ask(): void {
    const now = performance.now();
    for (const [place, askedAt] of this.asked) if (now - askedAt >= WATCH_LEASE_MS) this.asked.delete(place);
    for (const position of this.wanted()) {
      const place = formatPosition(position);
      if (now - (this.asked.get(place) ?? -Infinity) < WATCH_RENEW_MS / 2) continue;
      this.asked.set(place, now);
      this.options.ask(position, this.worker);
    }
  }

  /** The places from which somebody can take more, furthest first: who is slow does not hold up the others. */
  private wanted(): OutputPosition[] {
    const places = new Map<string, OutputPosition>();
    for (const reader of this.readers) if (reader.canTake) places.set(formatPosition(reader.position), reader.position);
    const progress = ({ stdout, stderr }: OutputPosition): number => stdout + stderr;
    return [...places.values()].sort((a, b) => b.attempt - a.attempt || progress(b) - progress(a)).slice(0, MOST_ASKED);
  }

  /** One look at a time: whoever wants another meanwhile gets one more after it. */
  private async look(): Promise<void> {
    this.mustLookAgain = this.isLooking;
    if (this.isLooking) return;
    this.isLooking = true;
    const record = await this.options
      .readRecord()
      .catch((error: unknown) => (hasErrorCode(error, 'OUTCOME_UNVERIFIED') ? 'forged' : 'away'));
    this.isLooking = false;
    if (record === undefined) this.lose('JOB_NOT_FOUND', 'The record of this job is no longer kept.');
    else if (record === 'forged') this.lose('OUTCOME_UNVERIFIED', errorDefinition('OUTCOME_UNVERIFIED').message);
    // That Redis is away is no answer: the next renewal looks again.
    else if (record !== 'away') this.learn(record);
    if (this.mustLookAgain && !this.hasEnded && !this.isUnwatched) await this.look();
  }

  private learn(record: JobRecord): void {
    if (record.parts !== undefined) return this.finish({ ...record, parts: record.parts });
    const { attempts, state } = record;
    const attempt = attempts.at(-1)?.number ?? 0;
    // The worker node was quicker than the look-up.
    if (this.hasEnded || attempt < (this.known?.attempt ?? 0)) return;
    this.known = { state, attempt, worker: attempts.at(-1)?.worker ?? null, cancelRequestedAt: record.cancelRequestedAt ?? null };
    for (const reader of this.readers) reader.sayState(this.known);
  }

  private finish(record: FinishedRecord): void {
    this.hasEnded = true;
    const ending = (this.ending = toEndedJob(record, this.options.jaegerUiUrl ?? ''));
    clearTimeout(this.holdTimer);
    for (const reader of [...this.readers]) this.serve(reader, ending);
    if (this.readers.size > 0) this.holdTimer = setTimeout(() => (this.ending = undefined), ENDING_HOLD_MS);
  }

  private serve(reader: JobReader, ending: EndedJob): void {
    if (!reader.takeRest(ending)) {
      // As long as somebody takes some of it, it need not be read anew. Who takes nothing is cut off by then.
      this.holdTimer?.refresh();
      return;
    }
    reader.end();
    this.remove(reader);
  }

  private lose(code: string, message: string): void {
    for (const reader of [...this.readers]) reader.sayGone(code, message);
  }
}
