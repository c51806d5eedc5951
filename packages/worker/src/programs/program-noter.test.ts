import { randomBytes } from 'node:crypto';
import { afterEach, beforeEach, expect, it } from '@jest/globals';
import {
  connectRedis,
  createRedisKeys,
  defineProgramNotes,
  KeyRing,
  readProgramNotes,
  writeProgramNote,
  type Job,
  type ProgramNote,
  type RedisKeys,
} from '@python3-cluster/shared';
import type { Redis } from 'ioredis';
import { pino } from 'pino';
import { waitFor } from '../../../../test/support/wait-for';
import { ProgramNoter } from './program-noter';

const keyRing = new KeyRing('k'.repeat(40));
const logger = pino({ level: 'silent' });
let redis: Redis;
let keys: RedisKeys;

beforeEach(() => {
  redis = defineProgramNotes(
    connectRedis(process.env['PYTHON3_TEST_REDIS_URL'] ?? '', { profile: 'patient', name: 'test', onError: () => undefined }),
  );
  keys = createRedisKeys(`t-${randomBytes(5).toString('hex')}`);
});
afterEach(() => redis.disconnect());

const read = (): Promise<ProgramNote[]> => readProgramNotes({ redis, keys, keyRing }, 'l');
const note = (program: string, owner = 'key:a'): ProgramNote => ({
  version: 1,
  program,
  owner,
  firstLine: 'x',
  labels: {},
  lastJobId: 'l.1',
  at: 1,
});
const write = (one: ProgramNote, ring = keyRing): Promise<boolean> => writeProgramNote({ redis, keys, keyRing: ring }, 'l', one);

it('a program is noted once it is counted, for each of its owners', async () => {
  const noter = new ProgramNoter({ redis, keys, keyRing, logger, writeEveryMs: 20 });
  const job = { program: 'code:a', owner: 'key:a', lane: 'l', kind: 'exec', id: 'l.1', labels: { script: 's' } } as unknown as Job;
  const payload = Buffer.from('{"code":"result = 1\\nx","variables":{}}');
  await redis.zadd(keys.countedNames('l', 'programs'), 1, 'code:a');
  await noter.note(job, payload);
  await noter.note({ ...job, owner: 'key:b' }, payload);
  const notes = await waitFor('the notes', async () => {
    const found = await read();
    return found.length === 2 && found;
  });
  expect(notes.find(({ owner }) => owner === 'key:a')).toMatchObject({
    program: 'code:a',
    firstLine: 'result = 1',
    labels: { script: 's' },
    lastJobId: 'l.1',
  });
  noter.stop();
});

it('what is not counted is not noted, and the notes do not grow with programs that come and go', async () => {
  expect(await write(note('code:unknown'))).toBe(false);
  const counted = keys.countedNames('l', 'programs');
  for (let index = 0; index < 1_000; index += 1) {
    await redis.zadd(counted, 1, `code:${index}`);
    expect(await write(note(`code:${index}`))).toBe(true);
    await redis.zrem(counted, `code:${index - 200}`);
  }
  expect(await redis.hlen(keys.programNotes('l'))).toBeLessThanOrEqual(400);
  // Nor with owners of one.
  for (let index = 0; index < 500; index += 1) await write(note('code:999', `key:${index}`));
  expect(await redis.hlen(keys.programNotes('l'))).toBeLessThanOrEqual(400);
});

it('a note that somebody else wrote, or moved to another program, is none', async () => {
  await redis.zadd(keys.countedNames('l', 'programs'), 1, 'code:a');
  await write(note('code:a'), new KeyRing('x'.repeat(40)));
  expect(await read()).toEqual([]);
  await write(note('code:a'));
  const sealed = await redis.hgetBuffer(keys.programNotes('l'), 'code:a\nkey:a');
  await redis.hset(keys.programNotes('l'), 'code:b\nkey:a', sealed ?? '');
  expect((await read()).map(({ program }) => program)).toEqual(['code:a']);
  await redis.del(keys.programNotes('l'));
  await redis.set(keys.programNotes('l'), 'a string');
  expect([await read(), await write(note('code:a'))]).toEqual([[], false]);
});
