import { spawn, type ChildProcess } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import type { Socket } from 'node:net';
import {
  ClusterError, encodeFrame, FrameReader, parseTemplateMessage,
  type ChildExited, type JobMode, type Logger, type SandboxSettings, type TemplateMessage, type WorkerControlMessage,
} from '@python3-cluster/shared'; // prettier-ignore
import { Child } from './child';
import type { ChildConnection, ChildSocket } from './child-socket';
import { findHostPid, isRunning } from '../sandbox/host-pid';
import { toLaunch, type TemplateSandbox } from '../sandbox/launch';
import { Pings } from './pings';
import { readResidentBytes } from './process-usage';
import type { TemplateWear } from './template-wear';

export interface TemplateOptions {
  readonly mode: JobMode;
  readonly python: PythonCommand;
  readonly runnerPath: string;
  readonly socketPath: string;
  readonly preload: readonly string[];
  /** '' for the host's. */
  readonly timeZone: string;
  readonly childSocket: ChildSocket;
  /** null: nothing contains it (isolation level D). */
  readonly sandbox: TemplateSandbox | null;
  readonly logger: Logger;
  /** Called once, when the process is gone for whatever reason. Its children are gone with it. */
  readonly onLost: (template: Template) => void;
}

export interface PythonCommand {
  readonly file: string;
  /** E.g. LD_LIBRARY_PATH of an interpreter that was unpacked rather than installed. */
  readonly env: Readonly<Record<string, string>>;
}

export type TemplateReady = Extract<TemplateMessage, { type: 'ready' }>;

/** Longest wait for the imports of the preload (pandas from a cold disk takes seconds). */
const READY_TIMEOUT_MS = 60_000;
/** A fork and its connection take a millisecond or two; this is for a starved host. */
const FORK_TIMEOUT_MS = 10_000;
const CONTROL_DESCRIPTOR = 3;
const END_LOOK_MS = 2;

/**
 * Handle of one template process: forks children, learns of their end, kills them.
 *
 *   worker node ──configure, fork, kill, ping, stop──▶ template      (socket pair, descriptor 3)
 *               ◀──ready, forked, exited, pong───────
 *
 * A template that breaks the protocol is killed; its children die with it (their parent-death signal).
 */
export class Template {
  readonly mode: JobMode;
  readonly ready: TemplateReady;
  /** As this host counts: in a process namespace it has another number. */
  readonly pid: number;
  private readonly process: ChildProcess;
  private readonly control: Socket;
  private readonly options: TemplateOptions;
  private readonly forks = new Map<string, PendingFork>();
  private readonly children = new Map<string, Child>();
  private readonly pings = new Pings();
  private readonly startedAt = performance.now();
  private readonly residentBytesAtStart: number;
  private forkCount = 0;
  private isLost = false;
  private isRetired = false;

  private constructor(options: TemplateOptions, started: StartedProcess, ready: TemplateReady) {
    this.mode = options.mode;
    this.options = options;
    this.process = started.process;
    this.control = started.control;
    this.ready = ready;
    this.pid = this.toHostPid(started.process.pid ?? 0, ready.pid) ?? 0;
    this.residentBytesAtStart = readResidentBytes(this.pid);
  }

  /** Spawns the process and waits until its imports are done. @throws ClusterError TEMPLATE_START_FAILED */
  static async start(options: TemplateOptions): Promise<Template> {
    const started = spawnTemplate(options);
    const reader = new FrameReader(0);
    const ready = await waitForReady(options, started, reader);
    const template = new Template(options, started, ready);
    if (template.pid === 0) started.process.kill('SIGKILL');
    started.control.on('data', (chunk: Buffer) => template.read(reader, chunk));
    started.process.once('exit', () => void template.awaitEnd());
    if (started.process.exitCode !== null || started.process.signalCode !== null) void template.awaitEnd();
    return template;
  }

  get lost(): boolean {
    return this.isLost;
  }

  get wear(): TemplateWear {
    return {
      forks: this.forkCount,
      ageMs: performance.now() - this.startedAt,
      grownBytes: readResidentBytes(this.pid) - this.residentBytesAtStart,
    };
  }

  /** Forks one child and waits for its connection. @throws Error where that fails; the template may still be well */
  fork(): Promise<Child> {
    const childId = randomUUID();
    const nonce = randomUUID();
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => this.failFork(childId, 'the child did not connect in time'), FORK_TIMEOUT_MS);
      this.forks.set(childId, { resolve, reject, timer, pid: undefined, connection: undefined });
      this.options.childSocket.expect(childId, nonce, (connection) => {
        const fork = this.forks.get(childId);
        if (fork === undefined) return connection.socket.destroy();
        fork.connection = connection;
        this.completeFork(childId, fork);
      });
      if (this.isLost) this.failFork(childId, 'the template is gone');
      else this.send({ type: 'fork', childId, nonce });
      this.forkCount += 1;
    });
  }

  ping(timeoutMs: number): Promise<boolean> {
    return this.pings.send(timeoutMs, (message) => this.send(message));
  }

  /** Asks it to end; `kill()` where it must not be asked. */
  stop(): Promise<void> {
    return new Promise((resolve) => {
      if (this.isLost) return resolve();
      this.process.once('exit', () => resolve());
      this.send({ type: 'stop' });
    });
  }

  /** Ends when its children have ended; what they run now is their last job. */
  retire(): void {
    this.isRetired = true;
    for (const child of this.children.values()) child.retire();
    this.stopIfDone();
  }

  /** The first process of a namespace takes all others along before anybody hears of its end. */
  kill(): void {
    if (this.isLost) return;
    try {
      if (this.pid > 0) process.kill(this.pid, 'SIGKILL');
    } catch {
      // Gone already, and bwrap is about to say so.
    }
    this.process.kill('SIGKILL');
  }

  /** bwrap may be gone before what it started: only then is nothing of the template left. */
  private async awaitEnd(): Promise<void> {
    if (this.options.sandbox?.bubblewrap !== undefined) {
      while (this.pid > 0 && isRunning(this.pid)) await new Promise((resolve) => setTimeout(resolve, END_LOOK_MS));
    }
    this.handleLoss();
  }

  private toHostPid(parentPid: number, pid: number): number | undefined {
    return this.options.sandbox?.bubblewrap === undefined ? pid : findHostPid(parentPid, pid);
  }

  private stopIfDone(): void {
    if (this.isRetired && this.children.size === 0 && this.forks.size === 0) void this.stop();
  }

  private send(message: WorkerControlMessage): void {
    if (!this.control.destroyed) this.control.write(encodeFrame(message));
  }

  private read(reader: FrameReader, chunk: Buffer): void {
    try {
      for (const { header } of reader.push(chunk)) this.handle(parseTemplateMessage(header));
    } catch (error) {
      this.options.logger.error({ mode: this.mode, error: String(error) }, 'template broke the protocol and is killed');
      this.kill();
    }
  }

  private handle(message: TemplateMessage): void {
    switch (message.type) {
      case 'forked': {
        const fork = this.forks.get(message.childId);
        if (fork === undefined) return this.send({ type: 'kill', childId: message.childId });
        fork.pid = this.toHostPid(this.pid, message.pid);
        if (fork.pid === undefined) return this.failFork(message.childId, 'the child is not to be found');
        return this.completeFork(message.childId, fork);
      }
      case 'fork-failed':
        return this.failFork(message.childId, message.message);
      case 'exited':
        return this.handleExit(message);
      case 'pong':
        this.pings.handlePong(message.nonce);
        return;
      case 'ready':
      case 'refused':
        throw new Error(`unexpected '${message.type}'`);
    }
  }

  private completeFork(childId: string, fork: PendingFork): void {
    if (fork.pid === undefined || fork.connection === undefined) return;
    clearTimeout(fork.timer);
    this.forks.delete(childId);
    const child = new Child(childId, fork.pid, fork.connection, () => this.send({ type: 'kill', childId }));
    this.children.set(childId, child);
    if (this.isRetired) child.retire();
    fork.resolve(child);
  }

  private failFork(childId: string, reason: string): void {
    const fork = this.forks.get(childId);
    if (fork === undefined) return;
    clearTimeout(fork.timer);
    this.forks.delete(childId);
    this.options.childSocket.forget(childId);
    fork.connection?.socket.destroy();
    if (fork.pid !== undefined) this.send({ type: 'kill', childId });
    fork.reject(new Error(`fork failed: ${reason}`));
  }

  private handleExit(exit: ChildExited): void {
    this.failFork(exit.childId, 'the child ended before it connected');
    this.children.get(exit.childId)?.handleExit(exit);
    this.children.delete(exit.childId);
    this.stopIfDone();
  }

  private handleLoss(): void {
    if (this.isLost) return;
    this.isLost = true;
    this.control.destroy();
    for (const childId of [...this.forks.keys()]) this.failFork(childId, 'the template is gone');
    for (const [childId, child] of this.children) {
      child.lostWithTemplate = true;
      child.handleExit({ type: 'exited', childId, exitCode: null, signal: SIGKILL, cpuMs: 0, maxRssBytes: 0, leftovers: 0 });
    }
    this.children.clear();
    this.options.onLost(this);
  }
}

const SIGKILL = 9;

interface PendingFork {
  readonly resolve: (child: Child) => void;
  readonly reject: (error: Error) => void;
  readonly timer: NodeJS.Timeout;
  pid: number | undefined;
  connection: ChildConnection | undefined;
}

interface StartedProcess {
  readonly process: ChildProcess;
  readonly control: Socket;
}

/** No variable of ours reaches the process: the environment is written anew. */
function spawnTemplate(options: TemplateOptions): StartedProcess {
  const { mode, runnerPath, socketPath, sandbox } = options;
  const command = [options.python.file, '-I', '-B', '-u', runnerPath] as const;
  const { file, args, identity } = toLaunch({ sandbox, mode, runnerPath, socketPath, command: [...command] });
  const child = spawn(file, args, {
    ...identity,
    cwd: '/',
    env: { ...options.python.env, ...TEMPLATE_ENVIRONMENT, ...(options.timeZone === '' ? {} : { TZ: options.timeZone }) },
    stdio: ['ignore', 'pipe', 'pipe', 'pipe'],
    // Its own process group: Ctrl-C at a terminal is the worker node's to handle.
    detached: true,
  });
  for (const stream of [child.stdout, child.stderr]) {
    stream?.on('data', (chunk: Buffer) =>
      options.logger.warn({ mode: options.mode, text: chunk.toString('utf8').slice(0, 2_000) }, 'template says'),
    );
  }
  return { process: child, control: child.stdio[CONTROL_DESCRIPTOR] as Socket };
}

/** One thread for BLAS and one malloc arena: otherwise libraries reserve memory per core and break on the limits. */
const TEMPLATE_ENVIRONMENT = {
  PATH: '/usr/local/bin:/usr/bin:/bin',
  LANG: 'C.UTF-8',
  OMP_NUM_THREADS: '1',
  OPENBLAS_NUM_THREADS: '1',
  MKL_NUM_THREADS: '1',
  MALLOC_ARENA_MAX: '2',
};

function waitForReady(options: TemplateOptions, started: StartedProcess, reader: FrameReader): Promise<TemplateReady> {
  const { process: child, control } = started;
  return new Promise((resolve, reject) => {
    const fail = (reason: string): void => {
      clearTimeout(timer);
      control.removeAllListeners('data');
      child.kill('SIGKILL');
      reject(new ClusterError('TEMPLATE_START_FAILED', `The ${options.mode} template did not come up: ${reason}.`));
    };
    const timer = setTimeout(() => fail(`not ready within ${READY_TIMEOUT_MS / 1_000} s`), READY_TIMEOUT_MS);
    // Its last words, why it refused, may still be on their way.
    const onExit = (code: number | null, signal: string | null): void => {
      const failAsEnded = (): void => fail(`it ended with ${signal ?? `exit code ${code}`}`);
      if (control.destroyed) failAsEnded();
      else control.once('close', failAsEnded);
    };
    child.once('error', (error) => fail(error.message));
    child.once('exit', onExit);
    control.on('error', () => control.destroy());
    const onData = (chunk: Buffer): void => {
      try {
        for (const { header } of reader.push(chunk)) {
          const message = parseTemplateMessage(header);
          if (message.type === 'refused') return fail(`${message.code}: ${message.message}`);
          if (message.type !== 'ready') return fail(`it said '${message.type}' first`);
          clearTimeout(timer);
          child.off('exit', onExit);
          control.off('data', onData);
          return resolve(message);
        }
      } catch (error) {
        fail(String(error));
      }
    };
    control.on('data', onData);
    control.write(
      encodeFrame({
        type: 'configure',
        mode: options.mode,
        socketPath: options.socketPath,
        preload: options.preload,
        sandbox: toSettings(options.sandbox),
      } satisfies WorkerControlMessage),
    );
  });
}

function toSettings(sandbox: TemplateSandbox | null): SandboxSettings | null {
  if (sandbox === null) return null;
  const { layers, uid, view, slotsPath } = sandbox;
  const { namespaces, landlockAbi, seccomp } = layers;
  return { uid, namespaces, landlockAbi, seccomp, readPaths: view.readPaths, writePaths: view.writePaths, slotsPath };
}
