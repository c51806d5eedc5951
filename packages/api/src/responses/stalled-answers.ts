import type { Server } from 'node:http';
import type { Socket } from 'node:net';

/** How often connections are looked at; an answer is cut this much later than its limit, at most. */
const LOOK_MS = 1_000;

/**
 * Cuts off who takes nothing of an answer for too long: what it does not read stays in our memory. Looks at connections from
 * time to time instead of at each answer, so that answers that are taken at once cost nothing. Event streams have a limit of
 * their own and set it themselves.
 */
export class StalledAnswers {
  private readonly sockets = new Set<Socket>();
  private readonly stallMs: number;
  private timer: NodeJS.Timeout | undefined;

  constructor(server: Server, stallMs: number) {
    // Told apart from Node's own limit for idle connections, which is not ours to lift.
    this.stallMs = stallMs === server.keepAliveTimeout ? stallMs + 1 : stallMs;
    server.on('connection', (socket) => {
      this.sockets.add(socket);
      socket.once('close', () => this.sockets.delete(socket));
    });
  }

  start(): void {
    this.timer = setInterval(() => this.look(), LOOK_MS);
    this.timer.unref();
  }

  stop(): void {
    clearInterval(this.timer);
  }

  /**
   * Node's own timer of a connection knows of progress within a write, and destroys a connection at which nobody listens for
   * it. While a caller waits for its outcome there is nothing to take, and no limit.
   */
  private look(): void {
    for (const socket of this.sockets) {
      const { timeout = 0, writableLength } = socket;
      if (writableLength > 0 && timeout === 0) socket.setTimeout(this.stallMs);
      else if (writableLength === 0 && timeout === this.stallMs) socket.setTimeout(0);
    }
  }
}
