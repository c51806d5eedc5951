import { afterEach, expect, it } from '@jest/globals';
import { createLogger } from '@python3-cluster/shared';
import type { RequestListener } from 'node:http';
import { RawConnection, rawRequest } from '../../../../test/support/raw-http';
import { waitFor } from '../../../../test/support/wait-for';
import { HttpListener } from '../http-listener';

const STALL_SECONDS = 1;
let listener: HttpListener | undefined;
afterEach(() => {
  listener?.stopAccepting();
  listener?.closeConnections();
});

async function serve(answer: RequestListener): Promise<RawConnection> {
  const config = { host: '127.0.0.1', port: 0, answerStallSeconds: STALL_SECONDS };
  listener = new HttpListener(answer, { config, logger: createLogger('api', 'silent') });
  await listener.start();
  return new RawConnection(listener.address?.port ?? 0);
}

/** More than lies between two sockets. */
const LARGE = Buffer.alloc(64 * 1_048_576, 'x');

it('whoever takes nothing of an answer is cut off', async () => {
  let isOver = false;
  const reader = await serve((_request, response) => {
    response.once('close', () => (isOver = true));
    response.end(LARGE);
  });
  reader.socket.pause();
  reader.send(rawRequest('GET /', ['Host: a']));
  await waitFor('the cut', () => isOver);
  reader.socket.resume();
  await reader.closed;
  expect(reader.socket.bytesRead).toBeLessThan(LARGE.length);
});

it('whoever waits for an answer longer than that is not, nor on a connection used before', async () => {
  const reader = await serve(({ url }, response) => {
    setTimeout(() => response.end('x'), url === '/slow' ? 4 * STALL_SECONDS * 1_000 : 0);
  });
  for (const path of ['/', '/slow', '/slow']) {
    reader.send(rawRequest(`GET ${path}`, ['Host: a']));
    expect((await reader.answer()).text).toBe('x');
  }
  reader.destroy();
});
