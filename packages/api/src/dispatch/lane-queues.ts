import { Queue } from 'bullmq';
import type { Logger, QueueEntry, RedisKeys } from '@python3-cluster/shared';
import type { Redis } from 'ioredis';
import { defineAcceptCommands } from './accept-job';

export interface LaneQueues {
  /** The lane's queue; made once. Lanes come from live worker nodes, so their number is bounded by those. */
  readonly get: (lane: string) => Queue<QueueEntry>;
  readonly close: () => Promise<void>;
}

/** BullMQ's queues, one per lane, over one connection that they share and do not own. */
export function createLaneQueues(redis: Redis, keys: RedisKeys, logger: Logger): LaneQueues {
  defineAcceptCommands(redis);
  const queues = new Map<string, Queue<QueueEntry>>();
  const create = (lane: string): Queue<QueueEntry> => {
    const queue = new Queue<QueueEntry>(keys.queueName, {
      connection: redis,
      prefix: keys.queuePrefix(lane),
      // Otherwise a queue made while Redis is away would wait for it, and its adds with it, for ever.
      skipVersionCheck: true,
      skipWaitingForReady: true,
    });
    // Without a listener a lost connection would end the process; the connection logs for itself.
    queue.on('error', (error) => logger.debug({ err: error, lane }, 'queue error'));
    return queue;
  };
  return {
    get: (lane) => {
      const queue = queues.get(lane) ?? create(lane);
      queues.set(lane, queue);
      return queue;
    },
    close: async () => {
      await Promise.allSettled([...queues.values()].map((queue) => queue.close()));
      queues.clear();
    },
  };
}
