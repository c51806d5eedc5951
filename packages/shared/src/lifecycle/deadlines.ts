/**
 * Deadlines nest: job limit < kill grace < lock; drain < the orchestrator's grace. Units in the names.
 *
 *   lock renewed every 0.7 s ── lock expires after 2 s ── stalled check every 1 s: a lost node's jobs start again within 3 s
 */
export const LOCK_DURATION_MS = 2_000;
export const LOCK_RENEW_MS = 700;
export const STALLED_CHECK_MS = 1_000;

/**
 * A job whose lock was last known to be renewed this long ago is ended here, so that its processes are dead before the
 * lock can expire and another node start the job. Two renewals may fail first; 500 ms are left for looking and killing.
 *
 *   2 × LOCK_RENEW_MS (1.4 s) < LOCK_ABORT_MS (1.5 s) < LOCK_DURATION_MS (2 s)
 */
export const LOCK_ABORT_MS = 1_500;
export const LOCK_WATCH_MS = 50;

/** An event loop that comes round this late is worth a line in the log: twice that, and jobs are given up. */
export const LOOP_LATE_MS = 500;

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

/**
 * An API replica renews its watch on a job this often, and looks into the job's record as often: what Redis dropped is asked
 * for again within it. A worker node forgets a watch that is not renewed.
 */
export const WATCH_RENEW_MS = 1_000;
export const WATCH_LEASE_MS = 3_000;
/** A worker node publishes the output of watched jobs at most this often, so that a flood is not a message per write. */
export const OUTPUT_JOIN_MS = 20;

/** Heartbeat of worker nodes; a node unheard of for `WORKER_GONE_MS` serves nothing any more. */
export const HEARTBEAT_MS = 1_000;
export const WORKER_GONE_MS = 5_000;

/**
 * Housekeeping of the whole cluster is one worker node's at a time; when it is lost another takes over after the lease.
 * A job whose queue entry is gone has its outcome after at most lease + age + confirmation + two passes: under 25 s of the
 * 60 s promised.
 */
export const HOUSEKEEPING_MS = 2_000;
export const HOUSEKEEPING_LEASE_MS = 10_000;
/** Among API replicas likewise: when the elected one is lost another takes over after the lease. */
export const ELECTION_MS = 1_000;
export const ELECTION_LEASE_MS = 5_000;
/** Younger jobs are left alone: their entry may still be on its way. */
export const STRAY_AGE_MS = 5_000;
/** A job is without entry only if it was so twice, this far apart. */
export const STRAY_CONFIRM_MS = 2_000;

/** A stopping process that has not ended by itself after its drain time and this is ended. */
export const STOP_GRACE_MS = 5_000;
