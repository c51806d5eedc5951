import { connect, createServer, type AddressInfo, type Socket } from 'node:net';

/** Stands between a process and its Redis: counts what is sent there, and can stop passing anything on. */
export class RedisProxy {
  /** Bytes sent towards Redis since the start. */
  sentBytes = 0;
  private readonly sockets = new Set<Socket>();
  private isHolding = false;
  private readonly server;
  private readonly target: URL;

  constructor(redisUrl: string) {
    this.target = new URL(redisUrl);
    this.server = createServer((client) => this.pass(client));
  }

  async start(): Promise<void> {
    await new Promise<void>((resolve) => this.server.listen(0, '127.0.0.1', resolve));
  }

  get url(): string {
    return `redis://127.0.0.1:${(this.server.address() as AddressInfo).port}${this.target.pathname}`;
  }

  /** Connections stay, answers do not come. */
  hold(): void {
    this.isHolding = true;
  }

  release(): void {
    this.isHolding = false;
    for (const socket of this.sockets) socket.emit('release');
  }

  async stop(): Promise<void> {
    for (const socket of this.sockets) socket.destroy();
    await new Promise<void>((resolve) => this.server.close(() => resolve()));
  }

  private pass(client: Socket): void {
    const redis = connect(Number(this.target.port), this.target.hostname);
    let held: Buffer[] = [];
    client.on('data', (chunk: Buffer) => (this.sentBytes += chunk.length));
    client.on('data', (chunk: Buffer) => (this.isHolding ? held.push(chunk) : redis.write(chunk)));
    client.on('release', () => {
      for (const chunk of held) redis.write(chunk);
      held = [];
    });
    redis.on('data', (chunk) => client.write(chunk));
    for (const [socket, other] of [[client, redis], [redis, client]] as const) {
      this.sockets.add(socket);
      socket.on('error', () => undefined);
      socket.on('close', () => {
        this.sockets.delete(socket);
        other.destroy();
      });
    } // prettier-ignore
  }
}
