import { Redis } from 'ioredis';
import { pause } from '../support/pause';
import { freePort, startPrivateRedis, type Fsync, type TestRedis } from '../support/test-redis';

/** For load under a new setting. */
const SETTLE_IN_MS = 1_000;

/** A Redis with append-only file that can be broken and comes back with what it had, on the same port. */
export class ChaosRedis {
  private server!: TestRedis;

  private constructor(
    readonly port: number,
    private readonly directory: string,
  ) {}

  static async start(directory: string): Promise<ChaosRedis> {
    const redis = new ChaosRedis(await freePort(), directory);
    await redis.startServer('everysec');
    return redis;
  }

  get url(): string {
    return this.server.url;
  }

  stop(): Promise<void> {
    return this.server.stop();
  }

  /** The policy, for the Redis that is about to go down, and a moment of it. */
  async setFsync(fsync: Fsync): Promise<void> {
    await this.ask((redis) => redis.config('SET', 'appendfsync', fsync));
    await pause(SETTLE_IN_MS);
  }

  async restart(signal: 'SIGTERM' | 'SIGKILL', fsync: Fsync): Promise<void> {
    process.kill(this.server.pid as number, signal);
    await this.server.stop();
    await this.startServer(fsync);
  }

  async freeze(forMs: number): Promise<void> {
    process.kill(this.server.pid as number, 'SIGSTOP');
    try {
      await pause(forMs);
    } finally {
      process.kill(this.server.pid as number, 'SIGCONT');
    }
  }

  async ask<T>(question: (redis: Redis) => Promise<T>): Promise<T> {
    const redis = new Redis(this.url, { protocol: 2 });
    try {
      return await question(redis);
    } finally {
      redis.disconnect();
    }
  }

  async readMemoryBytes(): Promise<number> {
    return Number(/^used_memory:(\d+)/m.exec(await this.ask((redis) => redis.info('memory')))?.[1]);
  }

  private async startServer(fsync: Fsync): Promise<void> {
    this.server = await startPrivateRedis({ port: this.port, directory: this.directory, fsync });
  }
}
