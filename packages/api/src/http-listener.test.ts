import { expect, it } from '@jest/globals';
import { connect } from 'node:net';
import { createLogger } from '@python3-cluster/shared';
import { HttpListener } from './http-listener';

it('a client that offers h2c with its request, as Java does, is answered as HTTP/1.1', async () => {
  const listener = new HttpListener(
    (request, response) => {
      let body = '';
      request.on('data', (chunk) => (body += String(chunk)));
      request.on('end', () => response.end(`got ${body}`));
    },
    { config: { host: '127.0.0.1', port: 0, answerStallSeconds: 30 }, logger: createLogger('api', 'silent') },
  );
  await listener.start();
  const head = [
    'POST / HTTP/1.1',
    'Host: localhost',
    'Connection: Upgrade, HTTP2-Settings',
    'Upgrade: h2c',
    'HTTP2-Settings: AAEAAEAAAAIAAAABAAMAAABkAAQBAAAAAAUAAEAA',
    'Content-Length: 5',
  ];
  const answer = await exchange(listener.address?.port ?? 0, `${head.join('\r\n')}\r\n\r\nhello`);
  expect(answer).toMatch(/^HTTP\/1\.1 200 OK\r\n/);
  expect(answer).toContain('got hello');
  listener.stopAccepting();
  listener.closeConnections();
});

function exchange(port: number, text: string): Promise<string> {
  return new Promise((resolve, reject) => {
    let received = '';
    const socket = connect(port, '127.0.0.1', () => socket.write(text));
    socket.on('data', (chunk) => {
      received += chunk.toString();
      if (received.includes('got hello')) socket.end();
    });
    socket.on('close', () => resolve(received));
    socket.on('error', reject);
  });
}
