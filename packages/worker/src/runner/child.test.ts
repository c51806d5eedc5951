import { mkdtempSync, rmSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { encodeFrame, FrameReader, type ChildExited, type Frame } from '@python3-cluster/shared';
import { waitFor } from '../../../../test/support/wait-for';
import type { Workspace } from '../workspaces/workspace';
import { Child, type ChildAnswer } from './child';
import { ChildSocket, type ChildConnection } from './child-socket';

const directory = mkdtempSync(join(tmpdir(), 'python3-child-'));
const childSocket = new ChildSocket(1_000);
const path = join(directory, 'jobs.sock');
beforeAll(() => childSocket.listen(path));
afterAll(async () => {
  await childSocket.close();
  rmSync(directory, { recursive: true, force: true });
});

/** The worker's `Child`, and this test playing the process at its other end. */
class Pair {
  child!: Child;
  kills = 0;
  waits = 0;
  readonly answers: ChildAnswer[] = [];
  readonly errors: Error[] = [];
  readonly frames: Frame[] = [];
  readonly peer: Socket;
  private readonly reader = new FrameReader(1_000);

  private constructor() {
    this.peer = connect(path);
    this.peer.on('error', () => undefined);
    this.peer.on('data', (chunk: Buffer) => this.frames.push(...this.reader.push(chunk)));
    pairs.push(this);
  }

  static async open(): Promise<Pair> {
    const pair = new Pair();
    const id = `c${pairs.length}`;
    await new Promise<void>((resolve) => {
      childSocket.expect(id, 'n', (connection) => {
        pair.child = new Child(id, 1, workspace, connection, () => (pair.kills += 1));
        resolve();
      });
      pair.peer.write(encodeFrame({ type: 'hello', childId: id, nonce: 'n' }));
    });
    return pair;
  }

  /** Runs a job, and waits until the peer has it. */
  async run(keep = false): Promise<Frame> {
    const before = this.frames.length;
    this.give(Buffer.from('{"code":"é"}'), keep);
    return waitFor('the run frame', () => this.frames.slice(before).find(({ header }) => header.type === 'run'));
  }

  give(payload: Buffer, keep = false): void {
    this.child.run(
      {
        kind: 'exec', mode: 'restricted', traceparent: null, spans: false, keep,
        limits: { memoryBytes: 1, cpuSeconds: 1, fileSizeBytes: 1, openFiles: 1, processes: 1, valueBytes: 1 }, policy,
      },
      payload,
      { onAnswer: (answer) => this.answers.push(answer), onWaiting: () => (this.waits += 1), onProtocolError: (error) => this.errors.push(error) },
    ); // prettier-ignore
  }

  say(...frames: Buffer[]): void {
    this.peer.write(Buffer.concat(frames));
  }
}

/** Never looked into: a child only says whose it is. */
const workspace = {} as Workspace;
const policy = { allowedModules: [], blockedModules: [] };
const pairs: Pair[] = [];
afterEach(() => pairs.forEach((pair) => pair.peer.destroy()));

const result = (nonce: unknown, members: object = {}, body = '1'): Buffer =>
  encodeFrame({ type: 'result', nonce, status: 'succeeded', hasValue: true, error: null, ...members }, Buffer.from(body));
const error = { type: 'ValueError', message: 'm', line: 1, traceback: 't', errno: null };
const exit: ChildExited = {
  type: 'exited', childId: 'c', exitCode: 0, signal: null, cpuMs: 1, maxRssBytes: 1, leftovers: 0, isEmpty: true,
}; // prettier-ignore

describe('a child', () => {
  it('gets its job with a fresh nonce, the payload as the body, and answers once', async () => {
    const pair = await Pair.open();
    const run = await pair.run();
    expect(run.body.toString()).toBe('{"code":"é"}');
    expect(run.header['nonce']).toMatch(/^[0-9a-f-]{32,}$/);
    expect(pair.child.workspace).toBe(workspace);
    expect(pair.child.state).toBe('running');
    pair.say(result(run.header['nonce'], {}, '9007199254740993'));
    await waitFor('the answer', () => pair.answers.length > 0);
    expect(pair.answers[0]?.value.toString()).toBe('9007199254740993');
    expect([pair.child.state, pair.kills, pair.errors]).toEqual(['answered', 0, []]);
  });

  it('hears its policy once, while it stays the same', async () => {
    const pair = await Pair.open();
    for (const expected of [policy, null, null]) {
      const run = await pair.run(true);
      expect(run.header['policy']).toEqual(expected);
      const before = pair.waits;
      pair.say(result(run.header['nonce']), encodeFrame({ type: 'waiting', nonce: run.header['nonce'] }));
      await waitFor('it to wait', () => pair.waits > before);
    }
  });

  it('that has run cannot run again', async () => {
    const pair = await Pair.open();
    await pair.run();
    await expect(pair.run()).rejects.toThrow('running');
  });

  it.each<[string, object, string]>([
    ['a value', {}, '[1]'],
    ['no value', { hasValue: false }, ''],
    ['an error', { status: 'failed', hasValue: false, error }, ''],
  ])('may answer with %s', async (_, members, body) => {
    const pair = await Pair.open();
    const run = await pair.run();
    pair.say(result(run.header['nonce'], members, body));
    await waitFor('the answer', () => pair.answers.length > 0);
    expect(pair.kills).toBe(0);
  });

  const hostile: Record<string, (nonce: unknown) => Buffer[]> = {
    'another job’s nonce': () => [result('0'.repeat(32))],
    'an empty nonce': () => [result('')],
    'a status that is not its to give': (nonce) => [result(nonce, { status: 'timed_out' })],
    'success and an error': (nonce) => [result(nonce, { error })],
    'failure without an error': (nonce) => [result(nonce, { status: 'failed', hasValue: false }, '')],
    'a value it does not announce': (nonce) => [result(nonce, { hasValue: false })],
    'an announced value that is not there': (nonce) => [result(nonce, {}, '')],
    'a failure with a value': (nonce) => [result(nonce, { status: 'failed', error, hasValue: false }, '1')],
    'a pong nobody asked for': () => [encodeFrame({ type: 'pong', nonce: 'n' })],
    'another hello': () => [encodeFrame({ type: 'hello', childId: 'c', nonce: 'n' })],
    'a message of the template': () => [encodeFrame({ type: 'forked', childId: 'c', pid: 1 })],
    'a value above the bound': (nonce) => [result(nonce, {}, '1'.repeat(1_001))],
    'a stray print': () => [Buffer.from('hello, world; here is what I print\n')],
  };
  it.each(Object.entries(hostile))('that says %s is killed, and nothing of it is believed', async (_, make) => {
    const pair = await Pair.open();
    const run = await pair.run();
    pair.say(...make(run.header['nonce']));
    await waitFor('the protocol error', () => pair.errors.length > 0);
    expect([pair.kills, pair.errors.length, pair.answers]).toEqual([1, 1, []]);
    await waitFor('the connection to be cut', () => pair.peer.destroyed || pair.peer.readableEnded);
  });

  it.each<[string, (nonce: unknown) => Buffer]>([
    ['a second result', (nonce) => result(nonce, {}, '2')],
    ['a single byte', () => Buffer.from('x'.repeat(8))],
    ['a pong', () => encodeFrame({ type: 'pong', nonce: 'n' })],
  ])('that answers and then sends %s is killed', async (_, more) => {
    const pair = await Pair.open();
    const run = await pair.run();
    pair.say(result(run.header['nonce']), more(run.header['nonce']));
    await waitFor('the protocol error', () => pair.errors.length > 0);
    expect([pair.kills, pair.answers.length]).toEqual([1, 1]);
  });

  it('that speaks before it is asked is killed', async () => {
    const pair = await Pair.open();
    pair.say(result(''));
    await waitFor('the kill', () => pair.kills > 0);
  });

  it('that is idle answers a ping', async () => {
    const pair = await Pair.open();
    const answered = pair.child.ping(5_000);
    const ping = await waitFor('the ping', () => pair.frames.find(({ header }) => header.type === 'ping'));
    pair.say(encodeFrame({ type: 'pong', nonce: ping.header['nonce'] }));
    expect(await answered).toBe(true);
  });

  it('that is given its job while it is pinged answers both; a second pong is a lie', async () => {
    const pair = await Pair.open();
    const answered = pair.child.ping(5_000);
    const late = pair.child.ping(1);
    const run = await pair.run();
    expect(await late).toBe(false);
    const pongs = pair.frames.filter(({ header }) => header.type === 'ping').map(({ header }) => encodeFrame({ type: 'pong', nonce: header['nonce'] })); // prettier-ignore
    expect(pongs).toHaveLength(2);
    pair.say(...pongs);
    expect(await answered).toBe(true);
    expect([pair.child.state, pair.kills, pair.errors]).toEqual(['running', 0, []]);
    pair.say(pongs[0] as Buffer, result(run.header['nonce']));
    await waitFor('the protocol error', () => pair.errors.length > 0);
    expect([pair.kills, pair.answers]).toEqual([1, []]);
  });

  it('that ends before it has read its whole job is known for it; one that has read it is not', async () => {
    const job = Buffer.alloc(4_000_000, 'x');
    const closed = await Pair.open();
    closed.peer.destroy();
    await waitFor('the end to be seen', () => !(closed.child as unknown as { connection: ChildConnection }).connection.socket.writable);
    closed.give(job);
    expect(closed.child.isUndelivered).toBe(true);

    const ended = await Pair.open();
    ended.child.handleExit(exit);
    ended.peer.destroy();
    await ended.child.exited;
    ended.give(job);
    expect(ended.child.isUndelivered).toBe(true);

    const inTheMiddle = await Pair.open();
    inTheMiddle.peer.pause();
    inTheMiddle.give(job);
    inTheMiddle.peer.destroy();
    await waitFor('the refusal', () => inTheMiddle.child.isUndelivered);

    const unread = await Pair.open();
    unread.peer.pause();
    unread.give(Buffer.from('{}'));
    unread.peer.destroy();
    await waitFor('the reset', () => unread.child.isUndelivered);

    const taken = await Pair.open();
    await taken.run();
    taken.peer.destroy();
    taken.child.handleExit(exit);
    await taken.child.exited;
    expect(taken.child.isUndelivered).toBe(false);
  });

  it('that gives another nonce, or none in time, has not answered', async () => {
    const pair = await Pair.open();
    const answered = pair.child.ping(5_000);
    pair.say(encodeFrame({ type: 'pong', nonce: 'another' }));
    expect(await answered).toBe(false);
    expect(await pair.child.ping(30)).toBe(false);
  });
});

const waiting = (nonce: unknown): Buffer => encodeFrame({ type: 'waiting', nonce });

describe('a child that is kept', () => {
  it('runs again with another nonce, and may answer pings in between', async () => {
    const pair = await Pair.open();
    const first = await pair.run(true);
    pair.say(result(first.header['nonce']), waiting(first.header['nonce']));
    await waitFor('it to wait', () => pair.waits === 1);
    expect([pair.child.state, pair.child.isUsable]).toEqual(['idle', true]);
    const answered = pair.child.ping(5_000);
    const ping = await waitFor('the ping', () => pair.frames.find(({ header }) => header.type === 'ping'));
    pair.say(encodeFrame({ type: 'pong', nonce: ping.header['nonce'] }));
    expect(await answered).toBe(true);
    const second = await pair.run(true);
    expect(second.header['nonce']).not.toBe(first.header['nonce']);
    pair.say(result(second.header['nonce'], {}, '2'));
    await waitFor('the answer', () => pair.answers.length === 2);
    expect([pair.answers[1]?.value.toString(), pair.child.state, pair.kills]).toEqual(['2', 'answered', 0]);
  });

  const hostile: Record<string, (nonce: unknown) => Buffer[]> = {
    'waits before it answers': (nonce) => [waiting(nonce), result(nonce)],
    'waits after another run': (nonce) => [result(nonce), waiting('0'.repeat(32))],
    'waits twice': (nonce) => [result(nonce), waiting(nonce), waiting(nonce)],
    'answers again while it waits': (nonce) => [result(nonce), waiting(nonce), result(nonce)],
    'waits with a body': (nonce) => [result(nonce), encodeFrame({ type: 'waiting', nonce }, Buffer.from('1'))],
  };
  it.each(Object.entries(hostile))('and %s is killed, and not used again', async (_, make) => {
    const pair = await Pair.open();
    const run = await pair.run(true);
    pair.say(...make(run.header['nonce']));
    await waitFor('the kill', () => pair.kills > 0);
    expect([pair.kills, pair.child.isUsable]).toEqual([1, false]);
  });

  it('and answers the run before is killed', async () => {
    const pair = await Pair.open();
    const first = await pair.run(true);
    pair.say(result(first.header['nonce']), waiting(first.header['nonce']));
    await waitFor('it to wait', () => pair.waits === 1);
    await pair.run(true);
    pair.say(result(first.header['nonce']));
    await waitFor('the kill', () => pair.kills > 0);
    expect([pair.answers.length, pair.errors.length]).toEqual([1, 1]);
  });

  it('but was not asked to stay is killed', async () => {
    const pair = await Pair.open();
    const run = await pair.run(false);
    pair.say(result(run.header['nonce']), waiting(run.header['nonce']));
    await waitFor('the kill', () => pair.kills > 0);
    expect(pair.waits).toBe(0);
  });
});

describe('the end of a child', () => {
  it('is only told after what it had said', async () => {
    const pair = await Pair.open();
    const run = await pair.run();
    pair.say(result(run.header['nonce']));
    pair.peer.end();
    // The template's word may come first.
    pair.child.handleExit(exit);
    expect(await pair.child.exited).toEqual(exit);
    expect(pair.answers).toHaveLength(1);
    expect(pair.child.state).toBe('gone');
  });

  it('is told once, and then it is not killed any more', async () => {
    const pair = await Pair.open();
    pair.peer.end();
    pair.child.handleExit(exit);
    await pair.child.exited;
    pair.child.handleExit({ ...exit, exitCode: 9 });
    pair.child.kill();
    expect(await pair.child.exited).toEqual(exit);
    expect(pair.kills).toBe(0);
  });

  it('is told where its connection broke before', async () => {
    const pair = await Pair.open();
    pair.peer.destroy();
    await new Promise((resolve) => setTimeout(resolve, 20));
    pair.child.handleExit(exit);
    expect(await pair.child.exited).toEqual(exit);
  });

  it('is told within the kill grace where somebody else holds its connection open', async () => {
    const pair = await Pair.open();
    await pair.run();
    const startedAt = performance.now();
    pair.child.handleExit(exit);
    expect(await pair.child.exited).toEqual(exit);
    expect(performance.now() - startedAt).toBeLessThan(30_000);
    expect(pair.answers).toEqual([]);
  });
});
