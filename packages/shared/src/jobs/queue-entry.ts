/**
 * What stands in the queue for a job: its sealed content, or a note that the content is too large for that and stands
 * under a key of its own (BullMQ parses and copies its data several times).
 */
export type QueueEntry = { readonly sealed: string } | { readonly stored: true };

/** Sealed jobs above this size are stored beside the queue. */
export const MAX_QUEUED_BYTES = 65_536;

/** The entry, if it is one that an API replica writes: its seal covers what is in it, and nothing covers what is beside. */
export function parseQueueEntry(data: unknown): QueueEntry | undefined {
  if (typeof data !== 'object' || data === null || Object.keys(data).length !== 1) return undefined;
  const { sealed, stored } = data as { readonly sealed?: unknown; readonly stored?: unknown };
  if (typeof sealed === 'string' && sealed.length <= MAX_QUEUED_BYTES) return { sealed };
  return stored === true ? { stored } : undefined;
}
