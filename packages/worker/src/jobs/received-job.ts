/** A job as the queue handed it out. */
export interface ReceivedJob {
  readonly lane: string;
  readonly jobId: string;
  /** As it stood in the queue; nobody has looked at it. */
  readonly entry: unknown;
  /** Whether the queue has handed the job out before and got it back by a lost lock. */
  readonly isRedelivered: boolean;
  /** The queue's lock on the job, where it is held by one: it is taken only while the lock stands. */
  readonly lockToken?: string | undefined;
  /** Aborted when this node no longer holds the job, or must end it. */
  readonly signal: AbortSignal;
}
