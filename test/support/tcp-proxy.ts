import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';

/** How a connection is lost: `frozen` as by a silent firewall (bytes wait), `dropped` as by a dead link (reset, and refused). */
export type Cut = 'frozen' | 'dropped';

/** What timers can do. */
const LEAST_PAUSE_MS = 2;

/** A TCP proxy on loopback: counts what is sent through it, its connections can be cut and healed, and each be as slow as a test likes. */
export class TcpProxy {
  /** Bytes that clients have sent since the start, whether or not they were passed on. */
  sentBytes = 0;
  private readonly server: Server;
  private readonly sockets = new Set<Socket>();
  private readonly held: { readonly to: Socket; readonly chunk: Buffer }[] = [];
  private cutAs: Cut | undefined;

  private constructor(
    private readonly targetPort: number,
    private readonly bytesPerSecond: number,
  ) {
    this.server = createServer((near) => this.accept(near));
  }

  /** `bytesPerSecond`: of each connection, in each direction. */
  static async start(targetPort: number, bytesPerSecond = Infinity): Promise<TcpProxy> {
    const proxy = new TcpProxy(targetPort, bytesPerSecond);
    await new Promise<void>((resolve) => proxy.server.listen(0, '127.0.0.1', resolve));
    return proxy;
  }

  get port(): number {
    return (this.server.address() as AddressInfo).port;
  }

  get redisUrl(): string {
    return `redis://127.0.0.1:${this.port}/0`;
  }

  cut(how: Cut): void {
    this.cutAs = how;
    if (how === 'dropped') this.destroyAll();
  }

  /** What waited is passed on in its order. */
  heal(): void {
    this.cutAs = undefined;
    for (const { to, chunk } of this.held.splice(0)) if (!to.destroyed) to.write(chunk);
  }

  async stop(): Promise<void> {
    this.destroyAll();
    await new Promise((resolve) => this.server.close(resolve));
  }

  private destroyAll(): void {
    for (const socket of this.sockets) socket.destroy();
  }

  private accept(near: Socket): void {
    if (this.cutAs === 'dropped') {
      near.resetAndDestroy();
      return;
    }
    const far = connect(this.targetPort, '127.0.0.1');
    near.on('data', (chunk: Buffer) => (this.sentBytes += chunk.length));
    this.pass(near, far);
    this.pass(far, near);
  }

  private pass(from: Socket, to: Socket): void {
    this.sockets.add(from);
    from.setNoDelay(true);
    let freeAt = 0;
    from.on('data', (chunk: Buffer) => {
      if (this.cutAs === 'frozen') this.held.push({ to, chunk });
      else to.write(chunk);
      freeAt = Math.max(freeAt, performance.now()) + (1_000 * chunk.length) / this.bytesPerSecond;
      const pauseMs = freeAt - performance.now();
      if (pauseMs < LEAST_PAUSE_MS) return;
      from.pause();
      setTimeout(() => from.resume(), pauseMs);
    });
    from.on('error', () => undefined);
    from.on('close', () => {
      this.sockets.delete(from);
      to.destroy();
    });
  }
}
