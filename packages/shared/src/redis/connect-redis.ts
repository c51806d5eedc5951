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
        }
      : { maxRetriesPerRequest: null };
  const redis = new Redis(url, { ...common, ...profile });
  // Without a listener an unreachable Redis would end the process.
  redis.on('error', options.onError);
  writeOncePerTurn(redis);
  return redis;
}

/**
 * Sends all commands of one event-loop turn with one system call, each with its own result. ioredis' auto-pipelining
 * does the like with an object per turn that knows every script of BullMQ, which costs more than the job's own commands.
 */
function writeOncePerTurn(redis: Redis): void {
  const sendCommand = redis.sendCommand.bind(redis);
  let isCorked = false;
  redis.sendCommand = (command, stream) => {
    const socket = redis.stream as typeof redis.stream | undefined;
    if (!isCorked && socket !== undefined && redis.status === 'ready') {
      isCorked = true;
      socket.cork();
      setImmediate(() => {
        isCorked = false;
        socket.uncork();
      });
    }
    return sendCommand(command, stream);
  };
}
