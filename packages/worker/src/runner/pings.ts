import { randomUUID } from 'node:crypto';

/** Pings that are under way on one channel, by nonce. */
export class Pings {
  private readonly waiting = new Map<string, () => void>();

  /** Whether the other side answers within the time. */
  send(timeoutMs: number, write: (message: { readonly type: 'ping'; readonly nonce: string }) => void): Promise<boolean> {
    const nonce = randomUUID();
    return new Promise((resolve) => {
      const settle = (answered: boolean): void => {
        clearTimeout(timer);
        this.waiting.delete(nonce);
        resolve(answered);
      };
      const timer = setTimeout(() => settle(false), timeoutMs);
      this.waiting.set(nonce, () => settle(true));
      write({ type: 'ping', nonce });
    });
  }

  handlePong(nonce: string): void {
    this.waiting.get(nonce)?.();
  }
}
