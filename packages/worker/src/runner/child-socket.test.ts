import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { encodeFrame } from '@python3-cluster/shared';
import { waitFor } from '../../../../test/support/wait-for';
import { ChildSocket, type ChildConnection } from './child-socket';

const directory = mkdtempSync(join(tmpdir(), 'python3-socket-'));
const clients: Socket[] = [];
let path: string;
let count = 0;
let childSocket: ChildSocket;

class Client {
  readonly socket: Socket;
  readonly closed: Promise<void>;
  readonly connected: Promise<void>;
  constructor(to = path) {
    this.socket = connect(to);
    this.socket.on('error', () => undefined);
    this.connected = new Promise((resolve) => this.socket.once('connect', resolve));
    this.closed = new Promise((resolve) => this.socket.once('close', () => resolve()));
    this.socket.resume();
    clients.push(this.socket);
  }
}

const hello = (childId: string, nonce: string): Buffer => encodeFrame({ type: 'hello', childId, nonce });
const expectChild = (childId: string, nonce: string): { accepted: ChildConnection[]; next: Promise<ChildConnection> } => {
  const accepted: ChildConnection[] = [];
  const next = new Promise<ChildConnection>((resolve) =>
    childSocket.expect(childId, nonce, (connection) => {
      accepted.push(connection);
      resolve(connection);
    }),
  );
  return { accepted, next };
};

let silentSocket: ChildSocket;
let silentClosed: Promise<number>;
// It takes five seconds for a silent connection to be dropped; the other tests run meanwhile.
beforeAll(async () => {
  silentSocket = new ChildSocket(1_000);
  await silentSocket.listen(join(directory, 'silent.sock'));
  const client = new Client(join(directory, 'silent.sock'));
  await client.connected;
  const since = performance.now();
  silentClosed = client.closed.then(() => performance.now() - since);
});
beforeEach(async () => {
  path = join(directory, `${(count += 1)}.sock`);
  childSocket = new ChildSocket(1_000);
  await childSocket.listen(path);
});
afterEach(() => childSocket.close());
afterAll(async () => {
  for (const client of clients) client.destroy();
  await silentSocket.close();
  rmSync(directory, { recursive: true, force: true });
});

describe('a connection', () => {
  it('keeps 256 connections that say nothing at most, and hears children all the same', async () => {
    let closed = 0;
    for (let index = 0; index < 300; index += 1) {
      const silent = new Client();
      void silent.closed.then(() => (closed += 1));
      await silent.connected;
    }
    await waitFor('those over it to be dropped', () => closed === 300 - 256);
    const { next } = expectChild('a', 'n');
    new Client().socket.write(hello('a', 'n'));
    await next;
    expect(closed).toBeLessThanOrEqual(300 - 256 + 1);
  });

  it('that gives an awaited pair is its child’s', async () => {
    const { next } = expectChild('c1', 'n1');
    new Client().socket.write(hello('c1', 'n1'));
    const { reader, socket } = await next;
    expect(reader.isMidFrame).toBe(false);
    expect(socket.destroyed).toBe(false);
  });

  const refused: Record<string, () => Buffer> = {
    'a wrong nonce': () => hello('c1', 'n2'),
    'an empty nonce': () => hello('c1', ''),
    'an unknown id': () => hello('c2', 'n1'),
    'a special name as id': () => hello('__proto__', 'n1'),
    'a nonce that is no text': () => encodeFrame({ type: 'hello', childId: 'c1', nonce: null }),
    'no nonce': () => encodeFrame({ type: 'hello', childId: 'c1' }),
    'another message': () => encodeFrame({ type: 'pong', nonce: 'n1' }),
    'a result': () => encodeFrame({ type: 'result', nonce: 'n1', status: 'succeeded', hasValue: false, error: null }),
    'an unknown message': () => encodeFrame({ type: 'run', childId: 'c1', nonce: 'n1' }),
    'a hello with a body': () => encodeFrame({ type: 'hello', childId: 'c1', nonce: 'n1' }, Buffer.from('x')),
    'two hellos': () => Buffer.concat([hello('c1', 'n1'), hello('c1', 'n1')]),
    'a hello and the beginning of more': () => Buffer.concat([hello('c1', 'n1'), Buffer.from([0])]),
    'half a hello': () => hello('c1', 'n1').subarray(0, -1),
    'no frame': () => Buffer.from('GET / HTTP/1.1\r\n\r\n'),
    'one byte': () => Buffer.from([0]),
  };
  it.each(Object.entries(refused))('that begins with %s is dropped, and the pair stays good', async (_, make) => {
    const { accepted, next } = expectChild('c1', 'n1');
    const stranger = new Client();
    stranger.socket.write(make());
    await stranger.closed;
    expect(accepted).toEqual([]);
    new Client().socket.write(hello('c1', 'n1'));
    await next;
    expect(accepted).toHaveLength(1);
  });

  it('that gives a pair a second time is dropped', async () => {
    const { accepted, next } = expectChild('c1', 'n1');
    new Client().socket.write(hello('c1', 'n1'));
    await next;
    const second = new Client();
    second.socket.write(hello('c1', 'n1'));
    await second.closed;
    expect(accepted).toHaveLength(1);
    expect(accepted[0]?.socket.destroyed).toBe(false);
  });

  it('that gives a pair nobody awaits any more is dropped', async () => {
    const { accepted } = expectChild('c1', 'n1');
    childSocket.forget('c1');
    const late = new Client();
    late.socket.write(hello('c1', 'n1'));
    await late.closed;
    expect(accepted).toEqual([]);
  });

  it('each is its own child’s, many at once', async () => {
    const expected = Array.from({ length: 60 }, (_, index) => expectChild(`c${index}`, `n${index}`));
    const order = expected.map((_, index) => (index * 37) % 60);
    for (const index of order) {
      const client = new Client();
      client.socket.write(hello(`c${index}`, `n${index}`));
      void expected[index]?.next.then(({ socket }) => socket.write(`you are c${index}`));
      client.socket.once('data', (chunk: Buffer) => client.socket.emit('told', chunk.toString() === `you are c${index}`));
      expect(await new Promise((resolve) => client.socket.once('told', resolve))).toBe(true);
    }
  });
});

describe('the socket', () => {
  it('cannot be reached by processes of another user', () => {
    expect(statSync(path).mode & 0o777).toBe(0o600);
  });

  it('drops everybody when it closes', async () => {
    const { next } = expectChild('c1', 'n1');
    const [child, stranger] = [new Client(), new Client()];
    child.socket.write(hello('c1', 'n1'));
    await next;
    await stranger.connected;
    await childSocket.close();
    await Promise.all([child.closed, stranger.closed]);
  });

  it('cannot be opened where there is no folder', async () => {
    const other = new ChildSocket(1_000);
    await expect(other.listen(join(directory, 'missing', 'x.sock'))).rejects.toThrow();
  });

  it('drops a connection that says nothing, after five seconds', async () => {
    const afterMs = await silentClosed;
    expect(afterMs).toBeGreaterThan(4_500);
    expect(afterMs).toBeLessThan(30_000);
  });
});
