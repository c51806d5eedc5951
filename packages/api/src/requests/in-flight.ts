import { ClusterError } from '@python3-cluster/shared';
import type { RequestHandler } from 'express';

/** Counts requests under way, so that a stopping replica knows when the last caller has been answered. */
export class InFlight {
  private count = 0;
  private isDraining = false;
  private idle: (() => void) | undefined;

  /** Counts; while draining, refuses what still arrives on kept-alive connections. */
  readonly handler: RequestHandler = (_request, response, next) => {
    if (this.isDraining) {
      response.setHeader('Connection', 'close');
      throw new ClusterError('SHUTTING_DOWN');
    }
    this.count += 1;
    response.once('close', () => {
      this.count -= 1;
      if (this.count === 0) this.idle?.();
    });
    next();
  };

  get active(): number {
    return this.count;
  }

  get draining(): boolean {
    return this.isDraining;
  }

  startDraining(): void {
    this.isDraining = true;
  }

  /** Resolves when nothing is under way, at the latest after `timeoutMs`. */
  async whenIdle(timeoutMs: number): Promise<void> {
    if (this.count === 0) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, timeoutMs);
      this.idle = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}
