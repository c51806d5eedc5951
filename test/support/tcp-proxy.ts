import { connect, createServer, type Server, type Socket } from 'node:net';
import type { AddressInfo } from 'node:net';

/** How a connection is lost: `frozen` as by a silent firewall (bytes wait), `dropped` as by a dead link (reset, and refused). */
export type Cut = 'frozen' | 'dropped';

/** A TCP proxy on loopback whose connections can be cut and healed. */
export class TcpProxy {
  private readonly server: Server;
  private readonly pairs = new Set<readonly [Socket, Socket]>();
  private cutAs: Cut | undefined;

  private constructor(private readonly targetPort: number) {
    this.server = createServer((near) => this.accept(near));
  }

  static async start(targetPort: number): Promise<TcpProxy> {
    const proxy = new TcpProxy(targetPort);
    await new Promise<void>((resolve) => proxy.server.listen(0, '127.0.0.1', resolve));
    return proxy;
  }

  get port(): number {
    return (this.server.address() as AddressInfo).port;
  }

  cut(how: Cut): void {
    this.cutAs = how;
    for (const pair of this.pairs) for (const socket of pair) if (how === 'frozen') socket.pause();
    if (how === 'dropped') this.destroyAll();
  }

  heal(): void {
    this.cutAs = undefined;
    for (const pair of this.pairs) for (const socket of pair) socket.resume();
  }

  async stop(): Promise<void> {
    this.destroyAll();
    await new Promise((resolve) => this.server.close(resolve));
  }

  private destroyAll(): void {
    for (const pair of this.pairs) for (const socket of pair) socket.destroy();
  }

  private accept(near: Socket): void {
    if (this.cutAs === 'dropped') {
      near.resetAndDestroy();
      return;
    }
    const far = connect(this.targetPort, '127.0.0.1');
    const pair = [near, far] as const;
    this.pairs.add(pair);
    for (const [from, to] of [pair, [far, near] as const]) {
      from.setNoDelay(true);
      from.on('data', (chunk) => void to.write(chunk));
      from.on('error', () => undefined);
      from.on('close', () => {
        to.destroy();
        this.pairs.delete(pair);
      });
      if (this.cutAs === 'frozen') from.pause();
    }
  }
}
