import {
  defineJobCommands, LargeContent, RedisOutage, RedisSuitability, ReplicaConfirmation, SigningWatch, within,
  type Config, type KeyRing, type Logger, type RedisKeys,
} from '@python3-cluster/shared'; // prettier-ignore
import type { Redis } from 'ioredis';
import type { LaneConsumer } from './lanes/lane-consumer';

/** A worker node's way to Redis. */
export interface NodeConnection {
  readonly redis: Redis;
  /** Beside it, so that locks are renewed however much content is on its way. */
  readonly large: LargeContent;
  /** Tells of all of the node's connections together. */
  readonly outage: RedisOutage;
  /** Only with PYTHON3_DURABILITY=replica. */
  readonly replicas: ReplicaConfirmation | undefined;
  /** Whether jobs of the lane may be started now; waits for a check of Redis that is under way. */
  readonly mayTake: (lane: string) => Promise<boolean>;
  /** Whether this node has the cluster’s signing key. */
  readonly signing: SigningWatch;
  /** Lets the consumers fetch while Redis is suitable, and only then. `onUp` is called when that is so for the first time. */
  readonly govern: (consumers: readonly LaneConsumer[], onUp: () => void) => void;
  readonly close: () => void;
}

/** How long a start waits for Redis before it goes on without. */
const FIRST_CONTACT_MS = 1_000;

export interface NodeIdentity {
  readonly workerId: string;
  readonly keys: RedisKeys;
  readonly keyRing: KeyRing;
}

/** Resolves also while Redis is away: it is checked when it comes. @throws ClusterError REDIS_UNSUITABLE, SIGNING_KEY_MISMATCH */
export async function connectNode(config: Config, { workerId, keys, keyRing }: NodeIdentity, logger: Logger): Promise<NodeConnection> {
  const outage = new RedisOutage(logger);
  const redis = defineJobCommands(outage.connect(config, { profile: 'patient', name: `python3-worker-${workerId}` }));
  const large = new LargeContent(outage.connect(config, { profile: 'patient', name: `python3-worker-${workerId}-bulk` }));
  const suitability = new RedisSuitability({ redis, durability: config.durability, logger });
  const replicas = config.durability === 'replica' ? connectReplicas(outage, config, workerId, keys, logger) : undefined;
  const signing = new SigningWatch({ redis, keys, keyRing, logger });
  const close = (): void => {
    signing.stop();
    suitability.stop();
    replicas?.confirmation.stop();
    replicas?.redis.disconnect();
    large.redis.disconnect();
    redis.disconnect();
  };
  suitability.start();
  await within(FIRST_CONTACT_MS, firstCheck(redis, suitability), 'Redis').catch(() => undefined);
  if (suitability.state === 'unsuitable') {
    close();
    throw suitability.refusal();
  }
  await signing.enter().catch((error: unknown) => {
    close();
    throw error;
  });
  return {
    redis,
    large,
    outage,
    replicas: replicas?.confirmation,
    signing,
    mayTake: async (lane) => {
      if (suitability.state !== 'suitable') await suitability.settled();
      return suitability.state === 'suitable' && replicas?.confirmation.isAvailable(lane) !== false;
    },
    govern: (consumers, onUp) => {
      let wasUp = false;
      suitability.onChange((state) => {
        // Unchecked ones may fetch on: what they fetch waits for the check.
        if (state === 'suitable') for (const consumer of consumers) consumer.start();
        if (state === 'suitable' && !wasUp) onUp();
        wasUp ||= state === 'suitable';
        if (state === 'unsuitable') for (const consumer of consumers) consumer.pause();
      });
    },
    close,
  };
}

function connectReplicas(
  outage: RedisOutage,
  config: Config,
  workerId: string,
  keys: RedisKeys,
  logger: Logger,
): { redis: Redis; confirmation: ReplicaConfirmation } {
  const redis = outage.connect(config, { profile: 'fail-fast', name: `python3-worker-${workerId}-replicas` });
  return { redis, confirmation: new ReplicaConfirmation({ redis, keys, logger }) };
}

async function firstCheck(redis: Redis, suitability: RedisSuitability): Promise<void> {
  if (redis.status !== 'ready') await new Promise<void>((resolve) => redis.once('ready', () => resolve()));
  await suitability.settled();
}
