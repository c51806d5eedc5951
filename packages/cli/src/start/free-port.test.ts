import { createServer, type AddressInfo, type Server } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { ephemeralPorts, isWithin } from '@python3-cluster/shared';
import { assertPortFree, chooseFreePort } from './free-port';

const HOST = '127.0.0.1';
/** A machine whose kernel gives out these and no others. */
const NONE = { first: 65_535, last: 65_535 };
let taken: Server;
let port: number;

beforeEach(async () => {
  taken = createServer();
  await new Promise<void>((resolve) => taken.listen(0, HOST, resolve));
  ({ port } = taken.address() as AddressInfo);
});
afterEach(() => new Promise((resolve) => taken.close(resolve)));

describe('a port for what clients trust', () => {
  it('is the wished one, or one after it where somebody listens there', async () => {
    expect(await chooseFreePort(HOST, [port], NONE)).toBeGreaterThan(port);
  });

  it('is never one that the kernel gives to whoever asks: ADMIN code may listen on those', async () => {
    const given = ephemeralPorts();
    expect(isWithin(port, given)).toBe(true);
    const wished = [given.first, given.last, given.first - 5];
    expect(await chooseFreePort(HOST, wished, given)).toBeLessThan(given.first);
    await expect(chooseFreePort(HOST, [given.first], { ...given, last: 65_535 })).rejects.toMatchObject({ code: 'PORT_IN_USE' });
  });

  it('that is named and taken is an error which names it', async () => {
    await expect(assertPortFree(HOST, port)).rejects.toMatchObject({
      code: 'PORT_IN_USE',
      message: expect.stringContaining(String(port)),
    });
  });
});
