import { LOCK_ABORT_MS, LOCK_WATCH_MS } from '@python3-cluster/shared';

interface Watched {
  /** `performance.now()` of the last moment from which the lock is known to have its full time. */
  confirmedAt: number;
  readonly onLapse: () => void;
}

/**
 * Ends jobs before their locks can expire. While Redis cannot be reached a renewal neither succeeds nor fails, it hangs,
 * and the lock runs out unseen; so each job carries the time its lock was last known to be renewed, and one that is not
 * renewed for `LOCK_ABORT_MS` is given up here, by this process' own clock.
 */
export class LockWatch {
  private readonly watched = new Map<string, Watched>();
  private timer: NodeJS.Timeout | undefined;

  /** `onLapse` is called once at most. */
  track(jobId: string, confirmedAt: number, onLapse: () => void): void {
    this.watched.set(jobId, { confirmedAt, onLapse });
    this.timer ??= setInterval(() => this.look(), LOCK_WATCH_MS);
  }

  confirm(jobIds: readonly string[], askedAt: number): void {
    for (const jobId of jobIds) {
      const watched = this.watched.get(jobId);
      if (watched) watched.confirmedAt = Math.max(watched.confirmedAt, askedAt);
    }
  }

  untrack(jobId: string): void {
    this.watched.delete(jobId);
    if (this.watched.size > 0) return;
    clearInterval(this.timer);
    this.timer = undefined;
  }

  private look(): void {
    const now = performance.now();
    for (const [jobId, { confirmedAt, onLapse }] of this.watched) {
      if (now - confirmedAt < LOCK_ABORT_MS) continue;
      this.watched.delete(jobId);
      onLapse();
    }
  }
}
