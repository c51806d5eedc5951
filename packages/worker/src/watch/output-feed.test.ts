import { randomBytes } from 'node:crypto';
import { closeSync, constants, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import {
  connectRedis, createJobId, createRedisKeys, formatWatch, KeyRing, MAX_OUTPUT_MESSAGE_BYTES, openOutput, OUTPUT_JOIN_MS, WATCH_LEASE_MS,
  type OutputMessage, type OutputPosition,
} from '@python3-cluster/shared'; // prettier-ignore
import type { Redis } from 'ioredis';
import { pino } from 'pino';
import { waitFor } from '../../../../test/support/wait-for';
import { makeNamedPipes } from '../run-directory/stage-runner';
import { OutputCapture } from '../workspaces/output-capture';
import { OutputFeed, type WatchableOutput } from './output-feed';

const keys = createRedisKeys(`t-${randomBytes(5).toString('hex')}`);
const keyRing = new KeyRing('signing-key-of-the-tests-0123456789abcdef');
const connect = (): Redis =>
  connectRedis(process.env['PYTHON3_TEST_REDIS_URL'] ?? '', { profile: 'patient', name: 'test', onError: () => undefined });

let redis: Redis;
let subscriber: Redis;
let listener: Redis;
let feed: OutputFeed;
let directory: string;
let output: WatchableOutput;
let heard: { channel: string; message: OutputMessage | undefined }[];
const jobId = createJobId('default');

beforeEach(async () => {
  [redis, subscriber, listener] = [connect(), connect(), connect()];
  directory = mkdtempSync(join(tmpdir(), 'python3-feed-'));
  const paths = [join(directory, 'stdout'), join(directory, 'stderr')] as const;
  await makeNamedPipes([...paths]);
  output = { stdout: new OutputCapture(paths[0]), stderr: new OutputCapture(paths[1]) };
  for (const capture of [output.stdout, output.stderr]) capture.begin(1_000_000);
  heard = [];
  listener.on('pmessageBuffer', (_pattern: string, channel: Buffer, message: Buffer) => {
    const end = message.indexOf(0x0a);
    const id = message.toString('latin1', 0, end);
    heard.push({ channel: channel.toString(), message: openOutput(keyRing, id, message.subarray(end + 1)) });
  });
  await listener.psubscribe(keys.outputChannel('*'));
  feed = new OutputFeed({ redis, keys, keyRing, workerId: 'node-1', lanes: ['default'], logger: pino({ level: 'silent' }) });
  feed.listen(subscriber);
  await waitFor('its subscription', async () => {
    const counts = await redis.pubsub('NUMSUB', keys.watchChannel('default'), keys.nodeWatchChannel('node-1'));
    return counts[1] === 1 && counts[3] === 1;
  });
});
afterEach(() => {
  feed.stop();
  for (const connection of [redis, subscriber, listener]) connection.disconnect();
  output.stdout.close();
  output.stderr.close();
  rmSync(directory, { recursive: true, force: true });
});

/** Begins an attempt; what is returned ends it as a run of a job does. */
function begin(attempt: number, id = jobId): () => Promise<void> {
  let end = (): void => undefined;
  const running = feed.during(id, attempt, output, async () => {
    await new Promise<void>((resolve) => (end = resolve));
    return { stdout: output.stdout.finish(), stderr: output.stderr.finish() };
  });
  return async () => {
    end();
    await running;
  };
}
const print = (text: string, name: 'stdout' | 'stderr' = 'stdout'): void => {
  const pipe = openSync(join(directory, name), constants.O_WRONLY | constants.O_NONBLOCK);
  writeSync(pipe, text);
  closeSync(pipe);
};
const ask = async (position: Partial<OutputPosition> = {}, replicaId = 'replica-1', id = jobId): Promise<void> => {
  const text = formatWatch({ jobId: id, replicaId, position: { attempt: 1, stdout: 0, stderr: 0, ...position } });
  await redis.publish(keys.watchChannel('default'), text);
};
const nextMessage = async (): Promise<OutputMessage> => {
  const { message } = await waitFor('a message', () => heard.shift());
  if (message === undefined) throw new Error('a message that does not verify');
  return message;
};
/** Long enough for several turns: whatever was to be said has been said. */
const settled = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 10 * OUTPUT_JOIN_MS));

describe('a watch', () => {
  it('is answered with what its sender does not have, sealed, on its replica’s channel', async () => {
    begin(1);
    print('one two');
    print('error', 'stderr');
    await ask({ stdout: 4 }, 'replica-7');
    const { channel, message } = await waitFor('the answer', () => heard.find((each) => each.message?.stderr.bytes.length));
    expect(channel).toBe(keys.outputChannel('replica-7'));
    expect(message).toMatchObject({
      jobId, worker: 'node-1', attempt: 1, ended: false,
      stdout: { offset: 4, bytes: Buffer.from('two') }, stderr: { offset: 0, bytes: Buffer.from('error') },
    }); // prettier-ignore
  });

  it('is answered once: what is printed later is for who asks again', async () => {
    begin(1);
    print('one');
    await ask();
    expect((await nextMessage()).stdout.bytes.toString()).toBe('one');
    print('two');
    await settled();
    expect(heard).toEqual([]);
    await redis.publish(
      keys.nodeWatchChannel('node-1'),
      formatWatch({ jobId, replicaId: 'replica-1', position: { attempt: 1, stdout: 3, stderr: 0 } }),
    );
    expect((await nextMessage()).stdout).toMatchObject({ offset: 3, bytes: Buffer.from('two') });
  });

  it('waits where there is nothing yet, and hears of what is printed, many writes together', async () => {
    begin(1);
    await ask();
    await settled();
    expect(heard).toEqual([]);
    for (let round = 0; round < 500; round += 1) print('x');
    let at = (await nextMessage()).stdout.bytes.length;
    let messages = 1;
    while (at < 500) {
      await ask({ stdout: at });
      at += (await nextMessage()).stdout.bytes.length;
      messages += 1;
    }
    expect(messages).toBeLessThan(20);
  });

  it('of a job that starts only then hears that it does', async () => {
    await ask({ attempt: 0 });
    await settled();
    begin(1);
    expect(await nextMessage()).toMatchObject({ attempt: 1, stdout: { bytes: Buffer.alloc(0) } });
  });

  it('from an earlier attempt hears of this one from its start; from a later one nothing', async () => {
    print('again');
    const end = begin(2);
    await ask({ attempt: 1, stdout: 1_000 });
    expect(await nextMessage()).toMatchObject({ attempt: 2, stdout: { offset: 0 } });
    await ask({ attempt: 3 });
    await settled();
    expect(heard).toEqual([]);
    await end();
    output.stdout.begin(100);
    print('third');
    begin(3);
    expect(await nextMessage()).toMatchObject({ attempt: 3, stdout: { offset: 0, bytes: Buffer.from('third') } });
  });

  it('hears of the end, once for its replica, from wherever it watches', async () => {
    const end = begin(1);
    await ask({ stdout: 5 });
    await ask({ stdout: 6 });
    await ask({ stdout: 5 }, 'replica-2');
    await settled();
    await end();
    feed.ended(jobId);
    expect([await nextMessage(), await nextMessage()]).toMatchObject([{ ended: true }, { ended: true }]);
    await settled();
    expect(heard).toEqual([]);
  });

  it('hears what was printed last before it ends, as another attempt may follow, and then of the end', async () => {
    const end = begin(1);
    print('first');
    await ask();
    await nextMessage();
    await ask({ stdout: 5 });
    await settled();
    // Both are read at the end, in one turn with it.
    const ending = end();
    print(' last');
    await new Promise((resolve) => setImmediate(resolve));
    await ending;
    expect(await nextMessage()).toMatchObject({ attempt: 1, ended: false, stdout: { offset: 5, bytes: Buffer.from(' last') } });
    feed.ended(jobId);
    expect((await nextMessage()).ended).toBe(true);
  });

  it('of a job that has ended is told nothing of what its slot holds afterwards', async () => {
    const end = begin(1);
    await end();
    print('somebody else’s');
    await ask();
    await settled();
    expect(heard).toEqual([]);
  });

  it('is forgotten unless it is renewed', async () => {
    await ask({ attempt: 0 });
    await ask({ attempt: 0 }, 'replica-2');
    const until = performance.now() + WATCH_LEASE_MS * 1.5;
    while (performance.now() < until) {
      await ask({ attempt: 0 }, 'replica-2');
      await settled();
    }
    begin(1);
    await nextMessage();
    await settled();
    expect(heard).toEqual([]);
  }, 20_000);
});

describe('whatever is asked', () => {
  it('a message has a bounded size, and all that there is comes in order', async () => {
    const line = `${'é'.repeat(500)}\n`;
    begin(1);
    let text = '';
    const position = { attempt: 1, stdout: 0, stderr: 0 };
    for (let round = 0; round < 40; round += 1) {
      for (let lines = 0; lines < 10; lines += 1) print(line, lines % 2 === 0 ? 'stdout' : 'stderr');
      // Into the pipe fits no more than a few rounds.
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    for (let messages = 0; position.stdout + position.stderr < 400 * line.length * 2 - 400 && messages < 40; messages += 1) {
      await ask(position);
      const { stdout, stderr } = await nextMessage();
      expect(stdout.bytes.length + stderr.bytes.length).toBeLessThanOrEqual(MAX_OUTPUT_MESSAGE_BYTES);
      expect([stdout.offset, stderr.offset]).toEqual([position.stdout, position.stderr]);
      position.stdout += stdout.bytes.length;
      position.stderr += stderr.bytes.length;
      text += stdout.bytes.toString();
    }
    expect(text).toBe(line.repeat(200));
  }, 30_000);

  it('what is no watch is passed over', async () => {
    begin(1);
    print('one');
    for (const text of ['', 'x', `${jobId} replica`, `${jobId} ../x 1.0.0`, 'x'.repeat(100_000)])
      await redis.publish(keys.watchChannel('default'), text);
    await settled();
    expect(heard).toEqual([]);
  });

  it('places of one job are bounded, also while it does not run here', async () => {
    await Promise.all(Array.from({ length: 500 }, (_, index) => ask({ attempt: 0 }, `replica-${index}`)));
    begin(1);
    await waitFor('the answers', () => heard.length >= 64);
    await settled();
    expect(heard).toHaveLength(64);
    expect(new Set(heard.map(({ channel }) => channel)).size).toBe(64);
  });

  it('watches of jobs that run elsewhere are bounded together, and keep none from who asks for one that runs here', async () => {
    const idOf = (index: number): string => `default.${String(index).padStart(26, '0')}`;
    await Promise.all(Array.from({ length: 3_000 }, (_, index) => ask({ attempt: 0 }, 'replica-1', idOf(index))));
    begin(1);
    print('one');
    await ask({ attempt: 0 });
    expect((await nextMessage()).attempt).toBe(1);
    // The last of the many found no place.
    begin(1, idOf(2_999));
    await settled();
    expect(heard).toEqual([]);
    begin(1, idOf(7));
    expect((await nextMessage()).attempt).toBe(1);
  }, 30_000);
});
