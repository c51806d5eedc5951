import { chmodSync, chownSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { FrameReader, parseChildMessage, type Frame, type JobMode } from '@python3-cluster/shared';

/** A connected child's end, from its `hello` on. */
export interface ChildConnection {
  readonly socket: Socket;
  /** Reads on with the same frame reader the `hello` came through, so that no byte is lost. */
  readonly reader: FrameReader;
}

/** A connection that has not said who it is by then is dropped. */
const HELLO_TIMEOUT_MS = 5_000;
/**
 * Connections that have not said who they are. ADMIN code can connect, too: it must not take all descriptors that the
 * worker node may have. Children say hello at once, so of too many any may go: it will not be theirs.
 */
const MAX_STRANGERS = 256;

/**
 * The Unix socket that children connect to, each giving the pair of id and nonce that the worker node had its template
 * fork it with. A pair works once.
 */
export class ChildSocket {
  private readonly awaited = new Map<string, { nonce: string; accept: (connection: ChildConnection) => void }>();
  private readonly sockets = new Set<Socket>();
  private readonly strangers = new Set<Socket>();
  private readonly maxBodyBytes: number;
  private readonly server: Server;
  private path = '';

  constructor(maxBodyBytes: number) {
    this.maxBodyBytes = maxBodyBytes;
    this.server = createServer((socket) => this.greet(socket));
  }

  listen(path: string): Promise<void> {
    this.path = path;
    return new Promise((resolve, reject) => {
      this.server.once('error', reject);
      this.server.listen({ path, backlog: 128 }, () => {
        chmodSync(path, 0o600);
        resolve();
      });
    });
  }

  /** Lets processes of these users connect, one as the owner of the socket and the other by its group; still nobody else. */
  admit(templateUids: Readonly<Record<JobMode, number>>): void {
    chmodSync(this.path, 0o660);
    chownSync(this.path, templateUids.restricted, templateUids.admin);
  }

  /** Calls `accept` once, when the child with this pair connects. */
  expect(childId: string, nonce: string, accept: (connection: ChildConnection) => void): void {
    this.awaited.set(childId, { nonce, accept });
  }

  forget(childId: string): void {
    this.awaited.delete(childId);
  }

  close(): Promise<void> {
    for (const socket of this.sockets) socket.destroy();
    return new Promise((resolve) => this.server.close(() => resolve()));
  }

  private greet(socket: Socket): void {
    this.sockets.add(socket);
    if (this.strangers.size >= MAX_STRANGERS) this.dropStranger();
    this.strangers.add(socket);
    socket.on('close', () => {
      this.sockets.delete(socket);
      this.strangers.delete(socket);
    });
    socket.on('error', () => socket.destroy());
    socket.setTimeout(HELLO_TIMEOUT_MS, () => socket.destroy());
    const reader = new FrameReader(this.maxBodyBytes);
    socket.once('data', (chunk: Buffer) => {
      this.strangers.delete(socket);
      const accept = this.claim(reader, chunk);
      if (accept === undefined) {
        socket.destroy();
        return;
      }
      socket.setTimeout(0);
      accept({ socket, reader });
    });
  }

  /** Not the oldest: whoever connects fast enough would decide whose turn it is. */
  private dropStranger(): void {
    const chosen = [...this.strangers][Math.floor(Math.random() * this.strangers.size)];
    if (chosen === undefined) return;
    this.strangers.delete(chosen);
    chosen.destroy();
  }

  /** A hello is far smaller than what a Unix socket delivers at once, so the first chunk holds it whole. */
  private claim(reader: FrameReader, chunk: Buffer): ((connection: ChildConnection) => void) | undefined {
    try {
      const frames: Frame[] = [...reader.push(chunk)];
      const message = frames.length === 1 && frames[0] ? parseChildMessage(frames[0]) : undefined;
      if (message?.type !== 'hello' || reader.isMidFrame) return undefined;
      const awaited = this.awaited.get(message.childId);
      if (awaited?.nonce !== message.nonce) return undefined;
      this.awaited.delete(message.childId);
      return awaited.accept;
    } catch {
      return undefined;
    }
  }
}
