import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import type { Redis } from 'ioredis';
import { connectRedis } from './connect-redis';
import { IS_WHOLE, LargeContent, PIECE_BYTES } from './large-content';

let redis: Redis;
let large: LargeContent;
const prefix = `t-${randomBytes(5).toString('hex')}`;
beforeAll(() => {
  redis = connectRedis(process.env['PYTHON3_TEST_REDIS_URL'] ?? '', { profile: 'patient', name: 'test', onError: () => undefined });
  large = new LargeContent(redis);
});
afterAll(async () => {
  const left = await redis.keys(`${prefix}:*`);
  if (left.length > 0) await redis.del(...left);
  redis.disconnect();
});

it.each([1, PIECE_BYTES - 1, PIECE_BYTES, PIECE_BYTES + 1, 5 * PIECE_BYTES + 7])(
  'content of %i bytes comes back as it was, and expires if nobody puts it in its place',
  async (length) => {
    const content = randomBytes(length);
    const key = `${prefix}:${length}`;
    expect(await large.stage(key, content)).toEqual({ key, bytes: length });
    expect((await large.read(key, length))?.equals(content)).toBe(true);
    expect((await large.read(key))?.equals(content)).toBe(true);
    expect(await redis.pttl(key)).toBeGreaterThan(30_000);
    expect(await redis.pttl(key)).toBeLessThanOrEqual(60_000);
  },
);

it('content that lacks a piece is no content, for scripts neither', async () => {
  const key = `${prefix}:lacks`;
  await large.stage(key, randomBytes(3 * PIECE_BYTES));
  const isWhole = (bytes: number): Promise<unknown> => redis.eval(`${IS_WHOLE} return isWhole(KEYS[1], ARGV[1]) and 1 or 0`, 1, key, bytes);
  expect(await isWhole(3 * PIECE_BYTES)).toBe(1);
  await redis.hdel(key, '1');
  expect(await isWhole(3 * PIECE_BYTES)).toBe(0);
  expect(await large.read(key, 3 * PIECE_BYTES)).toBeUndefined();
  expect(await large.read(key)).toBeUndefined();
  expect(await large.read(`${prefix}:never`)).toBeUndefined();
});

it('a size that nobody can have written is not believed', async () => {
  const key = `${prefix}:sizes`;
  await large.stage(key, randomBytes(PIECE_BYTES));
  for (const bytes of [0, -1, NaN, 1e15, 7, PIECE_BYTES + 1]) expect([bytes, await large.read(key, bytes)]).toEqual([bytes, undefined]);
});

it('few pieces are under way at a time, whatever there is to do, and each content gets its turn', async () => {
  const sizes: number[] = [];
  let underWay = 0;
  let most = 0;
  const sendCommand = redis.sendCommand.bind(redis);
  redis.sendCommand = (command, stream) => {
    const size = command.args.reduce((sum: number, arg) => sum + (Buffer.isBuffer(arg) ? arg.length : 0), 0);
    sizes.push(size);
    most = Math.max(most, (underWay += size));
    void command.promise.then(() => (underWay -= size));
    return sendCommand(command, stream);
  };
  const ended: number[] = [];
  const stage = async (id: number, pieces: number): Promise<void> => {
    await large.stage(`${prefix}:many-${id}`, Buffer.alloc(pieces * PIECE_BYTES, 'x'));
    ended.push(id);
  };
  await Promise.all([stage(0, 40), stage(1, 40), stage(2, 1)]);
  redis.sendCommand = sendCommand;
  expect(Math.max(...sizes)).toBe(PIECE_BYTES);
  expect(most).toBeLessThanOrEqual(4 * PIECE_BYTES);
  expect(ended[0]).toBe(2);
});

it('the first piece that fails ends it', async () => {
  const key = `${prefix}:wrong`;
  await redis.set(key, 'in the way');
  let sent = 0;
  const sendCommand = redis.sendCommand.bind(redis);
  redis.sendCommand = (command, stream) => {
    sent += 1;
    return sendCommand(command, stream);
  };
  await expect(large.stage(key, Buffer.alloc(50 * PIECE_BYTES))).rejects.toThrow('WRONGTYPE');
  redis.sendCommand = sendCommand;
  expect(sent).toBeLessThan(8);
});
