import type { OutcomeStatus } from '@python3-cluster/shared';

/**
 * What the cluster does, as every replica reads it from the store: counted in the same step as the outcome, so exact to
 * the job; times and memory from histograms, which lag by up to a second. Syntax checks are no jobs here.
 */
export interface ClusterFigures {
  /** Epoch ms on Redis' clock at which they were read. */
  readonly readAt: number;
  /** Over all lanes. */
  readonly lastMinute: WindowFigures;
  readonly lastFiveMinutes: WindowFigures;
  readonly totals: TotalFigures;
  /** Lanes that live worker nodes serve, that ever were served, or that hold jobs; by name. */
  readonly lanes: readonly LaneFigures[];
  readonly pool: PoolFigures;
  readonly workers: readonly WorkerFigures[];
}

export interface LaneFigures {
  readonly lane: string;
  /** Live worker nodes that serve it and do not drain. */
  readonly workers: number;
  readonly waiting: number;
  readonly delayed: number;
  readonly active: number;
  /** How long the job has waited that has waited longest and could start now; null: none waits. */
  readonly oldestWaitingMs: number | null;
  readonly lastMinute: WindowFigures;
  readonly lastFiveMinutes: WindowFigures;
  readonly totals: TotalFigures;
}

/** What has ended within a window that moves on with the clock: older parts of a minute count by their share. */
export interface WindowFigures extends OutcomeFigures {
  readonly minutes: number;
  readonly accepted: number;
  /** Jobs that ended, per minute. */
  readonly perMinute: number;
}

/** Since the store began. */
export interface TotalFigures extends OutcomeFigures {
  readonly accepted: number;
  /** Accepted and without outcome. */
  readonly open: number;
}

export interface OutcomeFigures {
  /** Jobs that have an outcome. */
  readonly finished: number;
  readonly byStatus: Readonly<Record<OutcomeStatus, number>>;
  readonly succeeded: number;
  /** The code's own doing: failed, timed_out, out_of_memory, cpu_exceeded, crashed. */
  readonly failed: number;
  /** Ended without the code's doing: cancelled, expired, lost, rejected. */
  readonly notRun: number;
  /** failed ÷ (succeeded + failed), 0 to 1; 0 where nothing ran. */
  readonly failureShare: number;
  /** Jobs that waited for longer than 0.1 s before they started. */
  readonly contended: number;
  readonly queuedMs: Distribution;
  readonly runMs: Distribution;
  readonly cpuMs: Distribution;
  readonly memoryMb: Distribution;
}

/** Of jobs whose code ran. Percentiles are within 10 % of the exact value; all 0 where `count` is 0. */
export interface Distribution {
  readonly count: number;
  readonly sum: number;
  readonly mean: number;
  readonly p50: number;
  readonly p95: number;
  readonly p99: number;
}

/** All live worker nodes together, from their heartbeats. */
export interface PoolFigures {
  /** Slots there are now, and may be. */
  readonly size: number;
  readonly max: number;
  readonly inUse: number;
  readonly healthy: number;
  /** Jobs on worker nodes that wait for a slot. */
  readonly waiting: number;
  /** inUse ÷ max, 0 to 1; 0 without worker nodes. */
  readonly utilization: number;
}

export interface WorkerFigures {
  readonly id: string;
  readonly nodeName: string;
  readonly lanes: readonly string[];
  readonly draining: boolean;
  readonly pool: PoolFigures;
  /** Outcomes it wrote in the last five minutes. */
  readonly lastFiveMinutes: { readonly finished: number; readonly succeeded: number; readonly failed: number };
}

/** Reads the figures; those who ask within a second share one reading. @throws ClusterError QUEUE_UNAVAILABLE while Redis is away */
export type ReadClusterFigures = () => Promise<ClusterFigures>;
