import { ClusterError, OUTPUT_START, parsePosition, type OutputPosition } from '@python3-cluster/shared';

/** Ends the id of an `outcome` event: nothing follows it. */
export const END_SUFFIX = '.end';

export interface ResumePoint {
  readonly position: OutputPosition;
  /** Whether the caller has had the outcome, too. */
  readonly hasOutcome: boolean;
}

/** Where to go on, by the header `Last-Event-ID`. @throws ClusterError LAST_EVENT_ID_INVALID */
export function readLastEventId(header: string | string[] | undefined): ResumePoint {
  // An empty one is what a browser remembers of events without an id.
  if (header === undefined || header === '') return { position: OUTPUT_START, hasOutcome: false };
  const text = String(header);
  const hasOutcome = text.endsWith(END_SUFFIX);
  const position = parsePosition(hasOutcome ? text.slice(0, -END_SUFFIX.length) : text);
  if (position === undefined) throw new ClusterError('LAST_EVENT_ID_INVALID');
  return { position, hasOutcome };
}
