import { createServer, get, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, expect, it } from '@jest/globals';
import type { Response } from 'express';
import { waitFor } from '../../../../test/support/wait-for';
import { EventStream } from './event-stream';

let server: Server;
afterEach(async () => {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
});

interface Opened {
  readonly stream: EventStream;
  readonly response: ServerResponse;
  readonly reader: IncomingMessage;
  readonly text: () => string;
}

/** A stream over a real connection, and what its reader has of it. */
async function open(timing: { heartbeatMs?: number; stallMs?: number } = {}): Promise<Opened> {
  let stream: EventStream | undefined;
  let response: ServerResponse | undefined;
  server = createServer((_request, opened) => {
    response = opened;
    stream = new EventStream(opened as Response, { heartbeatMs: 60_000, stallMs: 60_000, ...timing });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const reader = await new Promise<IncomingMessage>((resolve, reject) => {
    get(`http://127.0.0.1:${(server.address() as AddressInfo).port}`, { agent: false }, resolve).on('error', reject);
  });
  let text = '';
  reader.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
  reader.on('error', () => undefined);
  return { stream: await waitFor('the stream', () => stream), response: await waitFor('it', () => response), reader, text: () => text };
}

/** Fills what lies between it and a reader who takes nothing. @returns how many bytes that took */
function fill(stream: EventStream): Promise<number> {
  let bytes = 0;
  return waitFor('a full connection', async () => {
    while (stream.canTake) {
      stream.write(`: ${'x'.repeat(65_536)}\n\n`);
      bytes += 65_536;
      await new Promise((resolve) => setImmediate(resolve));
    }
    // It may have been drained a moment later.
    await new Promise((resolve) => setTimeout(resolve, 100));
    return stream.canTake ? undefined : bytes;
  });
}

it('tells the reader when to come again, and has heartbeats, but none inside an event', async () => {
  const { stream, text } = await open({ heartbeatMs: 20 });
  await waitFor('two heartbeats', () => text().startsWith('retry: 2000\n\n: heartbeat\n\n: heartbeat\n\n'));
  stream.write('data: a', false);
  const before = text();
  await new Promise((resolve) => setTimeout(resolve, 200));
  expect(text().slice(before.length)).toMatch(/^(: heartbeat\n\n)*data: a$/);
  stream.write('b\n\n');
  await waitFor('the rest', () => /data: ab\n\n(: heartbeat\n\n)+$/.test(text()));
});

it('says when the reader can take more, and does not write what it could not', async () => {
  const { stream, reader, text } = await open({ heartbeatMs: 20 });
  reader.pause();
  let isReady = false;
  const bytes = await fill(stream);
  stream.onReady = () => (isReady = true);
  await new Promise((resolve) => setTimeout(resolve, 200));
  expect(isReady).toBe(false);
  reader.resume();
  await waitFor('room', () => isReady && stream.canTake);
  stream.end();
  await waitFor('the end', () => reader.readableEnded);
  expect(text().replaceAll(': heartbeat\n\n', '').length).toBeGreaterThan(bytes);
});

it('cuts off who takes nothing for too long, and nobody who takes a little', async () => {
  const { stream, reader, response, text } = await open({ stallMs: 600 });
  reader.pause();
  await fill(stream);
  stream.onReady = () => {
    while (stream.canTake) stream.write(`: ${'x'.repeat(65_536)}\n\n`);
  };
  // A little at a time, for longer than anybody may stall.
  for (let turn = 0; turn < 8; turn += 1) {
    await new Promise((resolve) => setTimeout(resolve, 200));
    const before = text().length;
    reader.resume();
    // Less is not told to the other side: the kernel's window opens in steps.
    await waitFor('a little', () => text().length > before + 1_000_000);
    reader.pause();
  }
  expect([response.destroyed, stream.canTake]).toEqual([false, false]);
  await waitFor('the cut', () => response.destroyed);
});

it('ends with its last words, and cuts off who is in the middle of something or behind', async () => {
  const polite = await open();
  polite.stream.end('going');
  await waitFor('the end', () => polite.reader.readableEnded);
  expect(polite.text()).toBe('retry: 2000\n\n: going\n\n');
  await new Promise((resolve) => server.close(resolve));

  const interrupted = await open();
  interrupted.stream.write('data: a', false);
  interrupted.stream.end('going');
  await waitFor('the cut', () => interrupted.reader.destroyed);
  expect([interrupted.reader.readableEnded, interrupted.text().includes('going')]).toEqual([false, false]);
  await new Promise((resolve) => server.close(resolve));

  const behind = await open();
  behind.reader.pause();
  await fill(behind.stream);
  behind.stream.end('going');
  behind.reader.resume();
  await waitFor('the cut', () => behind.reader.destroyed);
  expect([behind.reader.readableEnded, behind.text().includes('going')]).toEqual([false, false]);
});
