import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, it } from '@jest/globals';
import type { Redis } from 'ioredis';
import { pino } from 'pino';
import { freePort, startPrivateRedis } from '../../../../test/support/test-redis';
import { waitFor } from '../../../../test/support/wait-for';
import { RedisOutage } from './redis-outage';

interface Line {
  readonly level: number;
  readonly msg: string;
  readonly awayMs?: number;
}

const directory = mkdtempSync(join(tmpdir(), 'python3-test-redis-'));
let connections: Redis[] = [];
afterEach(() => {
  for (const redis of connections) redis.disconnect();
  rmSync(directory, { recursive: true, force: true });
});

it('an outage is one line when it begins and one when it is over, with how long, whatever connects and however often', async () => {
  const lines: Line[] = [];
  const logger = pino({ level: 'info' }, { write: (text: string) => void lines.push(JSON.parse(text) as Line) });
  const outage = new RedisOutage(logger);
  const port = await freePort();
  const attempts = new Map<string, number>();
  connections = ['a', 'b', 'c'].map((name) => {
    const redis = outage.connect({ redisUrl: `redis://127.0.0.1:${port}` }, { name, profile: 'patient' });
    redis.on('error', () => attempts.set(name, (attempts.get(name) ?? 0) + 1));
    return redis;
  });
  const allTried = (times: number) => (): boolean => attempts.size === 3 && [...attempts.values()].every((tried) => tried >= times);
  await waitFor('each to have tried again', allTried(3));
  expect(lines.map(({ msg }) => msg)).toEqual([expect.stringMatching(/^cannot reach Redis: .*ECONNREFUSED/)]);
  expect(outage.isRecent).toBe(true);
  for (let round = 1; round <= 2; round += 1) {
    const server = await startPrivateRedis({ port, directory });
    await waitFor('the end of the outage', () => lines.length >= 2 * round);
    expect(lines.at(-1)).toMatchObject({ msg: expect.stringMatching(/^Redis is back after \d+\.\d s$/), awayMs: expect.any(Number) });
    expect(connections.every(({ status }) => status === 'ready')).toBe(true);
    await server.stop();
    await waitFor('the next one', () => lines.length === 2 * round + 1);
  }
  attempts.clear();
  await waitFor('each to have tried again', allTried(3));
  expect(lines.map(({ msg }) => msg.split(':')[0]?.split(' after')[0])).toEqual([
    'cannot reach Redis', 'Redis is back', 'cannot reach Redis', 'Redis is back', 'cannot reach Redis',
  ]); // prettier-ignore
}, 60_000);
