import type { PreparedOutcome } from './outcome-writer';

/** What became of a job that this node was handed, and so what the queue is to do with its entry. */
export type Processed =
  /** It has its outcome, or gets this one as the queue is told that the job is done. */
  | { readonly kind: 'done'; readonly outcome?: PreparedOutcome }
  /** Not to be started before that (epoch ms). */
  | { readonly kind: 'later'; readonly notBefore: number }
  /** Not started; may wait on. */
  | { readonly kind: 'busy' }
  /** Ended as this node stops; may run elsewhere. */
  | { readonly kind: 'stopped' }
  /** Somebody else has it now. */
  | { readonly kind: 'lost' };

export const DONE: Processed = { kind: 'done' };
export const BUSY: Processed = { kind: 'busy' };
