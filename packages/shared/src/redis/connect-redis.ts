import { Redis } from 'ioredis';

/**
 * Two kinds of connection, as BullMQ demands opposite things of a producer and a consumer:
 * `fail-fast` for whoever has a caller waiting (no offline queue, a command times out), `patient` for whoever can only
 * wait for Redis to come back (BullMQ's Worker insists on unlimited retries).
 */
export type ConnectionProfile = 'fail-fast' | 'patient';

export interface ConnectOptions {
  readonly profile: ConnectionProfile;
  /** Shown in Redis' CLIENT LIST. */
  readonly name: string;
  /** Send the commands of one event-loop turn as one pipeline, with a result for each. Slows BullMQ's Worker down. */
  readonly autoPipelining?: boolean;
  readonly onError: (error: Error) => void;
}

/** How long a command of a waiting caller may take before Redis counts as away. */
const COMMAND_TIMEOUT_MS = 2_000;

export function connectRedis(url: string, options: ConnectOptions): Redis {
  const common = {
    connectionName: options.name,
    // BullMQ 6 and our scripts read the classic reply shapes.
    protocol: 2 as const,
    connectTimeout: 5_000,
    // Full jitter: replicas that lost Redis together must not come back together.
    retryStrategy: (attempt: number): number => 50 + Math.random() * Math.min(1_000, 50 * 2 ** Math.min(attempt, 10)),
  };
  const profile =
    options.profile === 'fail-fast'
      ? {
          maxRetriesPerRequest: 0,
          enableOfflineQueue: false,
          commandTimeout: COMMAND_TIMEOUT_MS,
          autoResendUnfulfilledCommands: false,
          enableAutoPipelining: options.autoPipelining ?? false,
        }
      : { maxRetriesPerRequest: null };
  const redis = new Redis(url, { ...common, ...profile });
  // Without a listener an unreachable Redis would end the process.
  redis.on('error', options.onError);
  return redis;
}
