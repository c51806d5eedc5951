import type { Redis } from 'ioredis';

/**
 * Gives connections a moment to come up, so that the first request after the start is not refused for nothing. Resolves
 * in any case: a replica without Redis must answer, too.
 */
export async function awaitFirstContact(connections: readonly Redis[], timeoutMs: number): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const patience = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, timeoutMs);
  });
  await Promise.race([Promise.all(connections.map(becomesReady)), patience]);
  clearTimeout(timer);
}

/** Failed attempts do not matter: the connection tries again by itself. */
async function becomesReady(redis: Redis): Promise<void> {
  if (redis.status === 'ready') return;
  await new Promise<void>((resolve) => redis.once('ready', () => resolve()));
}
