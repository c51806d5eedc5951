import { randomUUID } from 'node:crypto';

/** Pings that were not answered yet on one channel, by nonce; also those nobody waits for any more. */
export class Pings {
  private readonly unanswered = new Map<string, () => void>();

  /** Whether the other side answers within the time. */
  send(timeoutMs: number, write: (message: { readonly type: 'ping'; readonly nonce: string }) => void): Promise<boolean> {
    const nonce = randomUUID();
    return new Promise((resolve) => {
      const timer = setTimeout(() => resolve(false), timeoutMs);
      this.unanswered.set(nonce, () => {
        clearTimeout(timer);
        resolve(true);
      });
      write({ type: 'ping', nonce });
    });
  }

  /** @returns whether it answers a ping that had no answer yet */
  handlePong(nonce: string): boolean {
    this.unanswered.get(nonce)?.();
    return this.unanswered.delete(nonce);
  }
}
