import { JOB_STATES, type Job, type JobState } from '@python3-cluster/shared';

/**
 * The state as callers see it. A record says `delayed` until the next start, as BullMQ moves the entry by itself when its
 * time has come; from then on the job waits like any other.
 */
export function shownState(state: JobState, { startAfter, retryAt }: StartTimes, now = Date.now()): JobState {
  return state === 'delayed' && now >= Math.max(startAfter ?? 0, retryAt ?? 0) ? 'waiting' : state;
}

/** Before which it is not started. That of a retry stands in the record, unsigned. */
interface StartTimes {
  readonly startAfter: Job['startAfter'];
  readonly retryAt: number | null;
}

export const parseState = (text: Buffer): JobState => JOB_STATES.find((state) => state === text.toString('latin1')) ?? 'waiting';
