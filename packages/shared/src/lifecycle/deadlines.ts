/**
 * Deadlines nest: job limit < kill grace < lock; drain < the orchestrator's grace. Units in the names.
 *
 *   lock renewed every 0.7 s ── lock expires after 2 s ── stalled check every 1 s: a lost node's jobs start again within 3 s
 */
export const LOCK_DURATION_MS = 2_000;
export const LOCK_RENEW_MS = 700;
export const STALLED_CHECK_MS = 1_000;

/** After SIGKILL a child must be gone within this, else its template is replaced. */
export const KILL_GRACE_MS = 1_000;

/** Between a job's last possible end and the moment its waiting caller gives up: delivery, verification, reply. */
export const REPLY_GRACE_MS = 3_000;

/** How often an API replica looks into the outcome store for callers whose reply message may have been dropped. */
export const REPLY_CHECK_MS = 250;

/** How often a worker node looks for cancellations whose message may have been dropped. */
export const CANCEL_LOOK_MS = 500;

/** How long whoever cancels a job waits for its outcome before it is told that the cancellation is under way. */
export const CANCEL_WAIT_MS = 1_000;

/** Heartbeat of worker nodes; a node unheard of for `WORKER_GONE_MS` serves nothing any more. */
export const HEARTBEAT_MS = 1_000;
export const WORKER_GONE_MS = 5_000;

/** A stopping process that has not ended by itself after its drain time and this is ended. */
export const STOP_GRACE_MS = 5_000;
