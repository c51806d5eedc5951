import type { JobMode } from '@python3-cluster/shared';

export interface Companion {
  /** Whether no other job of the mode has run at any moment of this run. */
  readonly wasAlone: boolean;
  leave(): void;
}

/**
 * Which runs share a template, that is a mode of this node, at the same time. When a template goes down all of them are
 * lost, and nobody can say whose doing it was, unless there was only one.
 */
export class RunCompany {
  private readonly present = new Map<JobMode, Set<{ wasAlone: boolean }>>();

  enter(mode: JobMode): Companion {
    const others = this.present.get(mode) ?? new Set();
    this.present.set(mode, others);
    const run = { wasAlone: others.size === 0, leave: () => void others.delete(run) };
    for (const other of others) other.wasAlone = false;
    others.add(run);
    return run;
  }
}
