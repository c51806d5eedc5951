import { randomUUID } from 'node:crypto';
import {
  encodeFrame, FrameError, KILL_GRACE_MS, parseChildMessage,
  type ChildExited, type ChildResult, type RunMessage,
} from '@python3-cluster/shared'; // prettier-ignore
import type { Workspace } from '../workspaces/workspace';
import type { ChildConnection } from './child-socket';
import { Pings } from './pings';

export type ChildState = 'idle' | 'running' | 'answered' | 'gone';

/** What the child said, once it has been run. */
export interface ChildAnswer {
  readonly result: ChildResult;
  /** Raw JSON; empty without a value. */
  readonly value: Buffer;
}

export interface RunListener {
  readonly onAnswer: (answer: ChildAnswer) => void;
  /** After the answer to a run with `keep`, where the child says that it can run again. */
  readonly onWaiting?: () => void;
  readonly onProtocolError: (error: FrameError) => void;
  /** Instead of `onWaiting`, or before anything: the child is gone. */
  readonly onExited?: (exit: ChildExited) => void;
}

/**
 * One forked process that runs one job, or one after the other where it is asked to stay.
 *
 *   idle ──run──▶ running ──result──▶ answered ──exited──▶ gone
 *    ▲ └─────────────┴────────────exited, killed│──────────▲
 *    └──────────────────waiting, if kept────────┘
 *
 * Its frames are hostile input: user code can find its own descriptors. It may say one `result` a run, and one `waiting`
 * after it if it was asked to stay; any other byte is a protocol error, and it is killed.
 */
export class Child {
  readonly id: string;
  readonly pid: number;
  /** Its own, and nobody else's until it and all it left are gone. */
  readonly workspace: Workspace;
  /** Resolves when the template has reported the end of the child and of all it left behind. */
  readonly exited: Promise<ChildExited>;
  state: ChildState = 'idle';
  /** Whether it ended because its template did, and not by what its code did. */
  lostWithTemplate = false;
  /** It ended before it had read the whole `run` frame, so the job cannot have run there. */
  isUndelivered = false;
  private readonly connection: ChildConnection;
  private readonly killInTemplate: () => void;
  private settleExit!: (exit: ChildExited) => void;
  private listener: RunListener | undefined;
  /** RLIMIT_NPROC of its first job: a child that is kept cannot raise it again. */
  processLimit: number | undefined;
  /** Of one that is kept and waits: called when there will be no other job for it. */
  onRetired: (() => void) | undefined;
  private policy: RunMessage['policy'] = null;
  private isKept = false;
  private isDoomed = false;
  private hasExited = false;
  private isRetired = false;
  private readonly pings = new Pings();
  private runNonce = '';

  constructor(id: string, pid: number, workspace: Workspace, connection: ChildConnection, kill: () => void) {
    this.id = id;
    this.pid = pid;
    this.workspace = workspace;
    this.connection = connection;
    this.killInTemplate = kill;
    this.exited = new Promise((resolve) => (this.settleExit = resolve));
    connection.socket.on('error', (error: NodeJS.ErrnoException) => {
      if (this.state === 'running' && isUnread(error)) this.isUndelivered = true;
    });
    connection.socket.on('data', (chunk: Buffer) => this.read(chunk));
  }

  /** Sends the job, or notes that nobody is there to take it. Each of the listener's functions is called at most once. */
  run(message: Omit<RunMessage, 'type' | 'nonce'>, payload: Buffer, listener: RunListener): void {
    if (this.state === 'gone') {
      this.isUndelivered = true;
      void this.exited.then(listener.onExited);
      return;
    }
    if (this.state !== 'idle') throw new Error(`a child that is ${this.state} cannot run a job`);
    this.state = 'running';
    this.runNonce = randomUUID();
    this.listener = listener;
    this.isKept = message.keep;
    const policy = this.isSamePolicy(message.policy) ? null : message.policy;
    this.policy = message.policy;
    const { socket } = this.connection;
    const frame = encodeFrame({ type: 'run', nonce: this.runNonce, ...message, policy } satisfies RunMessage, payload);
    // Its end may be closed although the template has not told yet.
    if (!socket.writable) this.isUndelivered = true;
    else socket.write(frame);
  }

  /** Whether an idle child answers within the time. */
  ping(timeoutMs: number): Promise<boolean> {
    return this.pings.send(timeoutMs, (message) => this.connection.socket.write(encodeFrame(message)));
  }

  /** Whether it can be given a job: idle, and not about to end. */
  get isUsable(): boolean {
    return this.state === 'idle' && !this.isDoomed && !this.isRetired;
  }

  /** The job it has, or was just taken for, is its last. */
  retire(): void {
    this.isRetired = true;
    this.onRetired?.();
  }

  kill(): void {
    this.isDoomed = true;
    // Its template has told of its end: the workspace may be another child's by now.
    if (!this.hasExited) this.workspace.controlGroup?.kill();
    if (this.state !== 'gone') this.killInTemplate();
  }

  /** Called by the template's handle. */
  handleExit(exit: ChildExited): void {
    this.hasExited = true;
    if (this.state === 'gone') return;
    const { socket } = this.connection;
    // What the child had sent before it went may still be on its way through the event loop. A stream that stays open is
    // held by a stranger it was handed to, and is cut.
    const cut = setTimeout(() => socket.destroy(), KILL_GRACE_MS);
    socket.once('close', () => {
      clearTimeout(cut);
      this.finish(exit);
    });
    if (socket.destroyed) {
      clearTimeout(cut);
      this.finish(exit);
    }
  }

  /** Lists of a configuration are the same objects for all its jobs; to the child they are two thirds of what it reads. */
  private isSamePolicy(policy: RunMessage['policy']): boolean {
    return policy?.allowedModules === this.policy?.allowedModules && policy?.blockedModules === this.policy?.blockedModules;
  }

  private finish(exit: ChildExited): void {
    if (this.state === 'gone') return;
    this.state = 'gone';
    this.settleExit(exit);
    this.listener?.onExited?.(exit);
  }

  private read(chunk: Buffer): void {
    try {
      for (const frame of this.connection.reader.push(chunk)) {
        const message = parseChildMessage(frame);
        if (message.type === 'pong' && this.mayPong(message.nonce)) continue;
        if (message.type === 'result' && this.state === 'running' && message.nonce === this.runNonce) this.answer(message, frame.body);
        else if (message.type === 'waiting' && this.state === 'answered' && this.isKept && message.nonce === this.runNonce) this.wait();
        else throw new FrameError(`unexpected '${message.type}' while ${this.state}`);
      }
    } catch (error) {
      this.connection.socket.destroy();
      this.listener?.onProtocolError(error instanceof FrameError ? error : new FrameError('unreadable frame', { cause: error }));
      this.kill();
    }
  }

  /** A child that was pinged and then given its job answers the ping first: that is no word of the caller's code. */
  private mayPong(nonce: string): boolean {
    const isAwaited = this.pings.handlePong(nonce);
    return this.state === 'idle' || (this.state === 'running' && isAwaited);
  }

  private answer(result: ChildResult, body: Buffer): void {
    if (body.length > 0 !== result.hasValue || (result.status === 'failed') !== (result.error !== null)) {
      throw new FrameError('a result that contradicts itself');
    }
    this.state = 'answered';
    this.listener?.onAnswer({ result, value: Buffer.from(body) });
  }

  private wait(): void {
    const { listener } = this;
    this.state = 'idle';
    this.listener = undefined;
    listener?.onWaiting?.();
  }
}

/**
 * What the kernel says of a Unix socket whose other end was closed: EPIPE, it takes no (more) bytes; ECONNRESET, what it
 * had taken was not read to its end. `run` is the last that is sent before its answer, so either is about it.
 */
const isUnread = ({ code, syscall }: NodeJS.ErrnoException): boolean => code === 'ECONNRESET' || (code === 'EPIPE' && syscall === 'write');
