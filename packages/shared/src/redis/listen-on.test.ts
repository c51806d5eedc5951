import { randomBytes } from 'node:crypto';
import { afterAll, expect, it } from '@jest/globals';
import type { Redis } from 'ioredis';
import { pino } from 'pino';
import { waitFor } from '../../../../test/support/wait-for';
import { connectRedis } from './connect-redis';
import { listenOn } from './listen-on';

const connect = (): Redis =>
  connectRedis(process.env['PYTHON3_TEST_REDIS_URL'] ?? '', { profile: 'patient', name: 'listens', onError: () => undefined });
const [subscriber, publisher] = [connect(), connect()];
const [one, other, foreign] = ['one', 'other', 'foreign'].map((name) => `${randomBytes(5).toString('hex')}-${name}`) as [
  string,
  string,
  string,
];
const logger = pino({ level: 'silent' });

afterAll(() => {
  subscriber.disconnect();
  publisher.disconnect();
});

it('hears its own channels only, byte for byte, and again after its connection was lost', async () => {
  const heard: string[] = [];
  let subscribed = 0;
  const onMessage = (message: Buffer, channel: string): void => void heard.push(`${channel}: ${message.toString('hex')}`);
  listenOn(subscriber, { channels: [one, other], onMessage, onSubscribed: () => void (subscribed += 1), logger });
  listenOn(subscriber, { channels: [foreign], onMessage: () => undefined, logger });
  await waitFor('the subscription', () => subscribed === 1);
  const bytes = Buffer.from([0, 255, 10]);
  for (const channel of [one, foreign, other]) await publisher.publish(channel, bytes);
  await waitFor('two messages', () => heard.length === 2);
  subscriber.disconnect(true);
  await waitFor('the next subscription', () => subscribed === 2);
  await publisher.publish(one, 'again');
  await waitFor('the third message', () => heard.length === 3);
  expect(heard).toEqual([`${one}: 00ff0a`, `${other}: 00ff0a`, `${one}: ${Buffer.from('again').toString('hex')}`]);
});
