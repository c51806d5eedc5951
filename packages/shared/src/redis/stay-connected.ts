import type { Redis } from 'ioredis';

/**
 * Connects again after a connection attempt that ioredis gives up for good. Its failover detector closes the connector of a
 * client that may just be connecting; the attempt then fails with "Connection is closed.", and the client goes to `end`,
 * which its retry strategy never hears of. Only whoever closes the client may end it. Its duplicates stay connected, too.
 */
export function stayConnected(redis: Redis, delayMs: (attempt: number) => number): void {
  const connect = redis.connect.bind(redis);
  const disconnect = redis.disconnect.bind(redis);
  const quit = redis.quit.bind(redis);
  const duplicate = redis.duplicate.bind(redis);
  let isClosed = false;
  let attempt = 0;
  let timer: NodeJS.Timeout | undefined;
  const close = (): void => {
    isClosed = true;
    clearTimeout(timer);
  };
  redis.connect = (...args) => {
    isClosed = false;
    return connect(...args);
  };
  redis.disconnect = (reconnect = false) => {
    if (!reconnect) close();
    disconnect(reconnect);
  };
  redis.quit = (...args: Parameters<typeof quit>) => {
    close();
    return quit(...args);
  };
  redis.duplicate = (override) => {
    const copy = duplicate(override);
    stayConnected(copy, delayMs);
    return copy;
  };
  redis.on('ready', () => (attempt = 0));
  redis.on('end', () => {
    if (isClosed) return;
    attempt += 1;
    timer = setTimeout(() => void redis.connect().catch(() => undefined), delayMs(attempt));
  });
}
