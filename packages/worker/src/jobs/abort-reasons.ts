import type { Processed } from './processed';

/** Abort reason: the queue has given the job to somebody else, so nothing may be written for it any more. */
export const LOCK_LOST = 'lock-lost';
/** Abort reason: the node's drain time is over. */
export const NODE_STOPPING = 'node-stopping';
/** Abort reason: somebody asked for its cancellation; the job's record says so, too. */
export const CANCEL_REQUESTED = 'cancel-requested';

/** Ended here for a reason that leaves nothing to be written. */
export const isGivenUp = ({ aborted, reason }: AbortSignal): boolean => aborted && reason !== CANCEL_REQUESTED;

export const endedBy = (signal: AbortSignal): Processed => ({ kind: signal.reason === LOCK_LOST ? 'lost' : 'stopped' });
