import type { Redis } from 'ioredis';
import type { Logger } from '../logging/create-logger';

export interface Listening {
  readonly channels: Iterable<string>;
  readonly onMessage: (message: Buffer, channel: string) => void;
  /** After each subscription, the first and those after a lost connection; messages in between are lost. */
  readonly onSubscribed?: () => void;
  readonly logger: Logger;
}

/**
 * Listens on channels for as long as the subscriber lives, over every loss of its connection. Several may share one
 * subscriber: each hears its own channels only.
 */
export function listenOn(subscriber: Redis, { channels, onMessage, onSubscribed, logger }: Listening): void {
  const names = new Set(channels);
  const subscribe = (): void => {
    subscriber
      .subscribe(...names)
      .catch((error: unknown) => logger.debug({ error: String(error), channels: [...names] }, 'channels could not be subscribed to'))
      .then(onSubscribed, ignore);
  };
  subscriber.on('messageBuffer', (channel: Buffer, message: Buffer) => {
    const name = channel.toString();
    if (names.has(name)) onMessage(message, name);
  });
  subscriber.on('ready', subscribe);
  if (subscriber.status === 'ready') subscribe();
}

const ignore = (): void => undefined;
