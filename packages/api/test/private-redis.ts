import { Redis } from 'ioredis';
import { freePort, startPrivateRedis, type TestRedis } from '../../../test/support/test-redis';

/** A Redis server of this test's own, to be stopped and started at will; it comes back empty on the same port. */
export class PrivateRedis {
  readonly port: number;
  private running: TestRedis | undefined;

  private constructor(port: number) {
    this.port = port;
  }

  static async start(): Promise<PrivateRedis> {
    const redis = new PrivateRedis(await freePort());
    await redis.restart();
    return redis;
  }

  get url(): string {
    return `redis://127.0.0.1:${this.port}`;
  }

  private get pid(): number {
    if (this.running?.pid === undefined) throw new Error('this Redis is not running');
    return this.running.pid;
  }

  async restart(): Promise<void> {
    this.running = await startPrivateRedis({ port: this.port });
  }

  /** Connections stay, answers do not come. */
  freeze(): void {
    process.kill(this.pid, 'SIGSTOP');
  }

  thaw(): void {
    process.kill(this.pid, 'SIGCONT');
  }

  async stop(): Promise<void> {
    await this.running?.stop();
    this.running = undefined;
  }

  connect(): Redis {
    const client = new Redis(this.port, { maxRetriesPerRequest: null, protocol: 2, retryStrategy: () => 20 });
    client.on('error', () => undefined);
    return client;
  }
}
