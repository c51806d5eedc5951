import { ClusterError } from '@python3-cluster/shared';

export interface StreamLimitsOptions {
  readonly most: number;
  readonly mostPerOwner: number;
}

/** Counts the event streams that are open on this replica. */
export class StreamLimits {
  private readonly options: StreamLimitsOptions;
  private readonly perOwner = new Map<string, number>();
  private count = 0;

  constructor(options: StreamLimitsOptions) {
    this.options = options;
  }

  /** @returns what to call, once, when the stream has ended. @throws ClusterError EVENTS_PER_OWNER, EVENTS_FULL */
  enter(owner: string): () => void {
    const ofOwner = this.perOwner.get(owner) ?? 0;
    if (ofOwner >= this.options.mostPerOwner) throw new ClusterError('EVENTS_PER_OWNER');
    if (this.count >= this.options.most) throw new ClusterError('EVENTS_FULL');
    this.count += 1;
    this.perOwner.set(owner, ofOwner + 1);
    return () => {
      this.count -= 1;
      const left = (this.perOwner.get(owner) ?? 1) - 1;
      if (left > 0) this.perOwner.set(owner, left);
      else this.perOwner.delete(owner);
    };
  }
}
