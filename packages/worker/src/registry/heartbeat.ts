import type { Redis } from 'ioredis';
import { HEARTBEAT_MS, within, type Logger, type RedisKeys, type WorkerHeartbeat } from '@python3-cluster/shared';
import type { HostWatch } from './host-watch';

type Describe = () => Omit<WorkerHeartbeat, 'sequence' | 'host'>;

/** Redis may go away with the command under way, and the command then waits for it to come back; the entry ages by itself. */
const SIGN_OFF_MS = 1_000;

/** Tells the registry, once a second, that this worker node lives and how its pool stands. */
export class Heartbeat {
  private timer: NodeJS.Timeout | undefined;
  private sequence = 0;
  private hasLeft = false;
  private readonly redis: Redis;
  private readonly keys: RedisKeys;
  private readonly describe: Describe;
  private readonly host: HostWatch;
  private readonly logger: Logger;

  constructor(redis: Redis, keys: RedisKeys, describe: Describe, host: HostWatch, logger: Logger) {
    this.redis = redis;
    this.keys = keys;
    this.describe = describe;
    this.host = host;
    this.logger = logger;
  }

  start(): void {
    this.redis.on('ready', () => this.beat());
    void this.host.start().then(() => this.beat());
    this.beat();
    this.timer = setInterval(() => this.beat(), HEARTBEAT_MS);
  }

  /** At once, where a change must be seen (draining). */
  beat(): void {
    // A look at the host, or a reconnection, may end after the sign-off; the registry must not have the node back.
    if (this.hasLeft) return;
    // A queue of stale heartbeats must not build up while Redis is away.
    if (this.redis.status !== 'ready') return;
    const heartbeat: WorkerHeartbeat = {
      ...this.describe(),
      sequence: ++this.sequence,
      ...(this.host.figures && { host: this.host.figures }),
    };
    this.redis
      .hset(this.keys.workers, heartbeat.id, JSON.stringify(heartbeat))
      .catch((error: unknown) => this.logger.warn({ error: String(error) }, 'heartbeat not written'));
  }

  /** @throws Error if the node could not sign off, though Redis seemed to be there */
  async stop(): Promise<void> {
    this.hasLeft = true;
    clearInterval(this.timer);
    this.host.stop();
    if (this.redis.status !== 'ready') return;
    await within(SIGN_OFF_MS, this.redis.hdel(this.keys.workers, this.describe().id), 'signing off from the registry');
  }
}
