/**
 * What stands in the queue for a job: its sealed content, or a note that the content is too large for that and stands
 * under a key of its own (BullMQ parses and copies its data several times).
 */
export type QueueEntry = { readonly sealed: string } | { readonly stored: true };

/** Sealed jobs above this size are stored beside the queue. */
export const MAX_QUEUED_BYTES = 65_536;
