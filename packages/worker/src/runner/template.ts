import type { ChildProcess } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import type { Socket } from 'node:net';
import {
  encodeFrame, FrameReader, parseTemplateMessage,
  type ChildExited, type JobMode, type TemplateMessage, type WorkerControlMessage,
} from '@python3-cluster/shared'; // prettier-ignore
import { findHostPid, isRunning } from '../sandbox/host-pid';
import { endProcessesOf } from '../sandbox/lease-users';
import type { Workspace } from '../workspaces/workspace';
import { Child } from './child';
import type { ChildConnection } from './child-socket';
import { Pings } from './pings';
import { readResidentBytes } from './process-usage';
import { spawnTemplate, waitForReady, type StartedProcess, type TemplateReady, type TemplateStart } from './template-start';
import type { TemplateWear } from './template-wear';

export type { TemplateReady } from './template-start';

export interface TemplateOptions extends TemplateStart {
  /** Called once, when the process is gone for whatever reason. Its children are gone with it. */
  readonly onLost: (template: Template) => void;
  /** Called when nothing of the child that had it is left, and it is empty where that is the template's to see to. */
  readonly onVacant: (workspace: Workspace) => void;
  /** Instead, where the template went first and nothing says that all it had forked went with it. */
  readonly onForsaken: (workspace: Workspace) => void;
  /** Its scratch folder could not be emptied: it is vacant only when the template is gone. */
  readonly onSpoilt: (template: Template) => void;
}

/** A fork and its connection take a millisecond or two; this is for a starved host. */
const FORK_TIMEOUT_MS = 10_000;
const END_LOOK_MS = 2;

/**
 * Handle of one template process: forks children, learns of their end, kills them.
 *
 *   worker node ──configure, fork, kill, ping, stop──▶ template      (socket pair, descriptor 3)
 *               ◀──ready, forked, exited, emptied, pong──
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
  /** By child id, from the fork until they are vacant again. */
  private readonly workspaces = new Map<string, Workspace>();
  private readonly startedAt = performance.now();
  private readonly residentBytesAtStart: number;
  private forkCount = 0;
  private isLost = false;
  private isRetired = false;
  /** Whether all that it has forked ends with it, or has been ended. */
  private takesAllAlong = false;

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
    else options.cgroup?.admit(template.pid);
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

  /**
   * Forks one child into a workspace that is nobody else's, and waits for its connection.
   * @throws Error where that fails; the template may still be well
   */
  fork(workspace: Workspace): Promise<Child> {
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
      this.workspaces.set(childId, workspace);
      if (this.isLost) {
        this.failFork(childId, 'the template is gone');
        return this.vacate(childId);
      }
      const { uid, scratchPath, stdoutPath, stderrPath } = workspace;
      this.send({ type: 'fork', childId, nonce, uid, scratchPath, stdoutPath, stderrPath });
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
    const { sandbox } = this.options;
    if (sandbox?.bubblewrap !== undefined) {
      while (this.pid > 0 && isRunning(this.pid)) await new Promise((resolve) => setTimeout(resolve, END_LOOK_MS));
      this.takesAllAlong = true;
    } else if (sandbox?.layers.uid === true && sandbox.uid !== null) {
      // Leased: whatever runs as that user is its own.
      this.takesAllAlong = await endProcessesOf([sandbox.uid]);
      if (!this.takesAllAlong) this.options.logger.error({ uid: sandbox.uid }, 'processes of a template that is gone do not end');
    }
    // Nothing leaves a control group by itself.
    const groups = [...this.workspaces.values()].flatMap(({ controlGroup }) => controlGroup ?? []);
    if (!this.takesAllAlong && groups.length > 0 && groups.length === this.workspaces.size) {
      this.takesAllAlong = (await Promise.all(groups.map((group) => group.endAll()))).every(Boolean);
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
        if (fork.pid === undefined) {
          this.send({ type: 'kill', childId: message.childId });
          return this.failFork(message.childId, 'the child is not to be found');
        }
        // Before it is given to anybody, and so before it can hear of a job.
        this.workspaces.get(message.childId)?.controlGroup?.admit(fork.pid);
        return this.completeFork(message.childId, fork);
      }
      case 'fork-failed':
        this.failFork(message.childId, message.message);
        return this.vacate(message.childId);
      case 'exited':
        return this.handleExit(message);
      case 'emptied':
        return this.handleEmptied(message.childId, message.isEmpty);
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
    const workspace = this.workspaces.get(childId) as Workspace;
    const child = new Child(childId, fork.pid, workspace, fork.connection, () => this.send({ type: 'kill', childId }));
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
    if (exit.isEmpty || !this.workspaces.get(exit.childId)?.isMounted) this.vacate(exit.childId);
    this.stopIfDone();
  }

  private handleEmptied(childId: string, isEmpty: boolean): void {
    if (isEmpty) this.vacate(childId);
    else this.options.onSpoilt(this);
    this.stopIfDone();
  }

  private vacate(childId: string, isVacant = true): void {
    const workspace = this.workspaces.get(childId);
    this.workspaces.delete(childId);
    if (workspace === undefined) return;
    workspace.controlGroup?.leave();
    if (isVacant) this.options.onVacant(workspace);
    else this.options.onForsaken(workspace);
  }

  private handleLoss(): void {
    if (this.isLost) return;
    this.isLost = true;
    this.control.destroy();
    for (const childId of [...this.forks.keys()]) this.failFork(childId, 'the template is gone');
    for (const [childId, child] of this.children) {
      child.lostWithTemplate = true;
      child.handleExit({ type: 'exited', childId, exitCode: null, signal: SIGKILL, cpuMs: 0, maxRssBytes: 0, leftovers: 0, isEmpty: true });
    }
    this.children.clear();
    // What was mounted is gone with it.
    for (const childId of [...this.workspaces.keys()]) this.vacate(childId, this.takesAllAlong);
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
