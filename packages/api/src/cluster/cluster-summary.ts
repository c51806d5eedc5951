import { ISOLATION_LEVELS, type IsolationLevel, type WorkerHeartbeat } from '@python3-cluster/shared';

export interface ClusterSummary {
  readonly workers: number;
  readonly lanes: readonly string[];
  readonly slots: {
    readonly total: number;
    readonly max: number;
    readonly inUse: number;
    readonly healthy: number;
    readonly waiting: number;
  };
  /** The lowest level any live worker node has: what a caller can count on. */
  readonly isolationLevel: IsolationLevel | null;
  readonly warning: string | undefined;
}

const WARNINGS: Partial<Record<IsolationLevel, string>> = {
  C: 'At least one worker node runs at isolation level C: code runs there as the worker’s own user, behind Landlock and seccomp only.',
  D: 'At least one worker node runs at isolation level D: nothing contains code there, so it runs ADMIN jobs only.',
};

/** What all live worker nodes are together. */
export function summarizeWorkers(workers: readonly WorkerHeartbeat[]): ClusterSummary {
  const sum = (pick: (worker: WorkerHeartbeat) => number): number => workers.reduce((total, worker) => total + pick(worker), 0);
  const isolationLevel = ISOLATION_LEVELS.findLast((level) => workers.some((worker) => worker.level === level)) ?? null;
  return {
    workers: workers.length,
    lanes: [...new Set(workers.filter((worker) => !worker.draining).flatMap((worker) => worker.lanes))].sort(),
    slots: {
      total: sum((worker) => worker.pool.size),
      max: sum((worker) => worker.pool.max),
      inUse: sum((worker) => worker.pool.inUse),
      healthy: sum((worker) => worker.pool.healthy),
      waiting: sum((worker) => worker.pool.waiting),
    },
    isolationLevel,
    warning: isolationLevel === null ? undefined : WARNINGS[isolationLevel],
  };
}
