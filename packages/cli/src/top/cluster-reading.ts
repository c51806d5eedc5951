/** What `top` knows of a cluster at one time. undefined: the API did not tell. */
export interface ClusterReading {
  /** Why something is missing, in words. */
  readonly problems: readonly string[];
  readonly health?: HealthReading;
  readonly summary?: SummaryReading;
  readonly lanes: readonly LaneReading[];
  readonly workers: readonly WorkerReading[];
  readonly alerts: readonly AlertReading[];
  /** Longest running first. */
  readonly running: readonly RunningReading[];
}

export interface RunningReading {
  readonly id: string;
  readonly owner: string;
  readonly kind: string;
  readonly mode: string;
  readonly lane: string;
  readonly worker: string;
  readonly startedAt: number | undefined;
  readonly isCancelled: boolean;
}

export interface HealthReading {
  readonly status: string;
  /** Why it is degraded. */
  readonly reasons: readonly string[];
  readonly redisWritable: boolean;
  readonly breaker: string;
  readonly isolationLevel: string | undefined;
  readonly version: string | undefined;
}

export interface SummaryReading {
  /** Epoch ms on Redis' clock. */
  readonly readAt: number;
  readonly accepted: number | undefined;
  readonly open: number | undefined;
  readonly finished: number | undefined;
  readonly succeeded: number | undefined;
  readonly failed: number | undefined;
  readonly notRun: number | undefined;
  readonly waiting: number | undefined;
  readonly lastMinute: WindowReading;
  readonly lastFiveMinutes: WindowReading;
  readonly slotsInUse: number | undefined;
  readonly slotsMax: number | undefined;
}

export interface WindowReading {
  readonly perMinute: number | undefined;
  /** 0 to 1. */
  readonly failureShare: number | undefined;
  readonly queuedMs: PercentilesReading;
  readonly runMs: PercentilesReading;
}

export interface PercentilesReading {
  /** 0: nothing was measured, and the percentiles say nothing. */
  readonly count: number;
  readonly p50: number | undefined;
  readonly p95: number | undefined;
}

export interface LaneReading {
  readonly lane: string;
  readonly workers: number | undefined;
  readonly waiting: number | undefined;
  readonly delayed: number | undefined;
  readonly active: number | undefined;
  readonly oldestWaitingMs: number | undefined;
  readonly lastFiveMinutes: WindowReading;
}

export interface WorkerReading {
  readonly id: string;
  readonly level: string | undefined;
  readonly lanes: readonly string[];
  readonly draining: boolean;
  readonly inUse: number | undefined;
  readonly max: number | undefined;
  /** Jobs on the node that wait for a slot. */
  readonly waiting: number | undefined;
  /** In the last five minutes. */
  readonly finished: number | undefined;
  readonly failed: number | undefined;
  /** 0 to 1, of the node's host. */
  readonly cpuShare: number | undefined;
  readonly memoryUsedBytes: number | undefined;
  readonly memoryTotalBytes: number | undefined;
}

export interface AlertReading {
  readonly name: string;
  readonly subject: string;
  readonly severity: string;
  readonly state: string;
  readonly message: string;
  readonly startedAt: number | undefined;
}
