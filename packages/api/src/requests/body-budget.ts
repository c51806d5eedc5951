import { ClusterError } from '@python3-cluster/shared';

/**
 * Bytes of request bodies that this replica holds at once. A declared length counts from before the first byte is read, so
 * that what has been begun can also be finished. A body alone is always taken, however large bodies may be.
 */
export class BodyBudget {
  private readonly mostBytes: number;
  private heldBytes = 0;

  constructor(mostBytes: number) {
    this.mostBytes = mostBytes;
  }

  /** @throws ClusterError BODIES_FULL */
  open(bytes: number): BodyShare {
    const share = new BodyShare((more) => this.take(more));
    share.grow(bytes);
    return share;
  }

  /** Negative bytes are given back. */
  private take(bytes: number): void {
    if (bytes > 0 && this.heldBytes > 0 && this.heldBytes + bytes > this.mostBytes) throw new ClusterError('BODIES_FULL');
    this.heldBytes += bytes;
  }
}

/** What one body takes of it. */
export class BodyShare {
  private readonly take: (bytes: number) => void;
  private bytes = 0;

  constructor(take: (bytes: number) => void) {
    this.take = take;
  }

  /** To at least so many bytes. @throws ClusterError BODIES_FULL */
  grow(bytes: number): void {
    if (bytes <= this.bytes) return;
    this.take(bytes - this.bytes);
    this.bytes = bytes;
  }

  release(): void {
    this.take(-this.bytes);
    this.bytes = 0;
  }
}
