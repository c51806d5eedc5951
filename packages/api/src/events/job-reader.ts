import {
  characterBoundary,
  formatPosition,
  type JobState,
  type OutputMessage,
  type OutputPiece,
  type OutputPosition,
} from '@python3-cluster/shared';
import type { FinishedRecord } from '../dispatch/outcome-store';
import { toJobView } from '../jobs/job-view';
import type { JsonValue } from '../responses/raw-json';
import type { EventStream } from './event-stream';
import { formatEvent } from './format-event';
import { END_SUFFIX } from './last-event-id';

/** What a `state` event says. Until the job has ended it is read from unsigned fields, and only shown. */
export interface ShownState {
  readonly state: JobState;
  /** The latest attempt; 0 before the first. */
  readonly attempt: number;
  readonly worker: string | null;
  readonly cancelRequestedAt: number | null;
}

/** What those who watch a job are still to be told when it has ended; the same for all of them. */
export interface EndedJob {
  readonly state: ShownState;
  readonly stdout: Buffer;
  readonly stderr: Buffer;
  readonly outcomeEvent: Buffer;
}

export function toEndedJob(record: FinishedRecord, jaegerUiUrl: string): EndedJob {
  const { outcome, stdout, stderr } = record.parts;
  const attempt = outcome.attempts.at(-1)?.number ?? 0;
  const end = formatPosition({ attempt, stdout: stdout.length, stderr: stderr.length });
  return {
    state: { state: 'finished', attempt, worker: outcome.worker, cancelRequestedAt: record.cancelRequestedAt ?? null },
    stdout,
    stderr,
    outcomeEvent: formatEvent('outcome', `${end}${END_SUFFIX}`, toJobView(record, jaegerUiUrl)),
  };
}

/** What of an `EventStream` a reader needs. */
export type EventSink = Pick<EventStream, 'canTake' | 'write' | 'end'>;

/** Most bytes of text, or of the outcome, that are written before the reader is asked whether it can take more. */
const PIECE_BYTES = 65_536;

/**
 * One caller's way through a job's events. It keeps no output, only the place it has reached: what comes while the caller
 * cannot take any is passed over, and asked for again when it can.
 */
export class JobReader {
  private readonly stream: EventSink;
  private place: OutputPosition;
  private said = '';
  /** Bytes of the outcome event that were written. The record of an ended job does not change, so neither does the event. */
  private outcomeSent = 0;

  constructor(stream: EventSink, position: OutputPosition) {
    this.stream = stream;
    this.place = position;
  }

  get position(): OutputPosition {
    return this.place;
  }

  get canTake(): boolean {
    return this.stream.canTake;
  }

  sayState({ state, attempt, worker, cancelRequestedAt }: ShownState): void {
    const saying = `${state} ${attempt} ${cancelRequestedAt}`;
    if (!this.canTake || this.outcomeSent > 0 || this.said === saying) return;
    this.said = saying;
    this.write('state', { state, attempt, worker, cancelRequestedAt });
  }

  /** Takes of it what follows the place it has reached. What lies further on is a gap, and left for later. */
  take({ attempt, stdout, stderr }: OutputMessage): void {
    if (!this.canTake || attempt < this.place.attempt) return;
    if (attempt > this.place.attempt) this.place = { attempt, stdout: 0, stderr: 0 };
    this.takePiece('stdout', stdout);
    this.takePiece('stderr', stderr);
  }

  /** Writes what is left of the output, and the outcome. @returns whether the caller could take all of it */
  takeRest({ state, stdout, stderr, outcomeEvent }: EndedJob): boolean {
    if (!this.canTake) return false;
    this.sayState(state);
    if (state.attempt !== this.place.attempt) this.place = { attempt: state.attempt, stdout: 0, stderr: 0 };
    return this.takeText('stdout', stdout) && this.takeText('stderr', stderr) && this.takeOutcome(outcomeEvent);
  }

  /** The job is not to be had any more. */
  sayGone(code: string, message: string): void {
    if (this.canTake && this.outcomeSent === 0) this.write('gone', { error: { code, message } });
    this.stream.end();
  }

  /** Ends the stream: after everything, or with a reason before that. */
  end(reason?: string): void {
    this.stream.end(reason);
  }

  private takePiece(name: 'stdout' | 'stderr', { offset, bytes, truncated }: OutputPiece): void {
    const at = this.place[name];
    if (!this.canTake || offset > at || offset + bytes.length <= at) return;
    this.writeText(name, bytes.subarray(at - offset), truncated);
  }

  private takeText(name: 'stdout' | 'stderr', text: Buffer): boolean {
    while (this.place[name] < text.length) {
      if (!this.canTake) return false;
      const at = this.place[name];
      this.writeText(name, text.subarray(at, characterBoundary(text, at + PIECE_BYTES)), false);
    }
    return true;
  }

  private takeOutcome(event: Buffer): boolean {
    while (this.outcomeSent < event.length) {
      if (!this.canTake) return false;
      const end = Math.min(event.length, this.outcomeSent + PIECE_BYTES);
      this.stream.write(event.subarray(this.outcomeSent, end), end === event.length);
      this.outcomeSent = end;
    }
    return true;
  }

  private writeText(name: 'stdout' | 'stderr', bytes: Buffer, truncated: boolean): void {
    const { attempt, [name]: offset } = this.place;
    this.place = { ...this.place, [name]: offset + bytes.length };
    this.write(name, { attempt, offset, text: bytes.toString('utf8'), ...(truncated && { truncated }) });
  }

  private write(name: 'state' | 'stdout' | 'stderr' | 'gone', data: JsonValue): void {
    this.stream.write(formatEvent(name, formatPosition(this.place), data));
  }
}
