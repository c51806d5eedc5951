import { join } from 'node:path';
import type { Logger } from '@python3-cluster/shared';
import { makeNamedPipes } from '../run-directory/stage-runner';
import { removeTreeAside } from '../run-directory/empty-folder';
import type { WorkspaceGroup } from '../sandbox/workspace-group';
import { makeFolders, Workspace } from './workspace';

export interface WorkspacesOptions {
  /** A folder for them alone. */
  readonly path: string;
  readonly count: number;
  /** The first of `count` users in a row, one for each; null where children stay their template's user. */
  readonly firstUid: number | null;
  /** The template's user; null where it is the worker node's. */
  readonly templateUid: number | null;
  readonly isMounted: boolean;
  /** A control group for the workspace of that number, where there are such groups. */
  readonly makeGroup?: ((index: number) => WorkspaceGroup | undefined) | undefined;
  /** Asked to end a child that is kept, when a job waits for a workspace. */
  readonly onShortage: () => void;
  readonly logger: Logger;
}

/** Workspaces of one mode that are lent, or wait for somebody to be, or to become empty, at most. */
export function workspacesFor(slots: number, idleChildren: number): number {
  // Children that run, those that are kept, those forked ahead, and a few that are ending.
  return 2 * slots + idleChildren + 4;
}

const RETRY_MS = 1_000;

/**
 * The workspaces of one mode's children.
 *
 *   free ──take──▶ lent to a child ──its last process dead──▶ cleaned ──▶ free
 *                                                             └──cannot be──▶ removed, and a new one made
 */
export class Workspaces {
  private readonly options: WorkspacesOptions;
  private readonly free: Workspace[] = [];
  private readonly waiting: ((workspace: Workspace) => void)[] = [];
  private readonly all = new Set<Workspace>();
  private made = 0;
  private closed = false;

  constructor(options: WorkspacesOptions) {
    this.options = options;
  }

  async start(): Promise<void> {
    this.free.push(...(await this.make(this.options.count)));
  }

  /** undefined where none is free just now. */
  tryTake(): Workspace | undefined {
    return this.free.pop();
  }

  take(): Promise<Workspace> {
    const free = this.free.pop();
    if (free !== undefined) return Promise.resolve(free);
    return new Promise((resolve) => {
      this.waiting.push(resolve);
      this.options.onShortage();
    });
  }

  /** Call it when every process of the child that had it is dead, and a mounted scratch folder is empty. */
  async giveBack(workspace: Workspace): Promise<void> {
    await workspace.unused();
    const isClean = await workspace.clean();
    if (this.closed) return;
    if (isClean) return this.offer(workspace);
    await this.replace(workspace);
  }

  /** Instead, where a process that can write there may live: nobody gets it again, and another one takes its place. */
  async giveUp(workspace: Workspace): Promise<void> {
    await workspace.unused();
    if (!this.closed) await this.replace(workspace);
  }

  /** When no child lives any more. What other users left is theirs to remove. */
  async close(): Promise<void> {
    this.closed = true;
    this.free.length = 0;
    await Promise.all([...this.all].map((workspace) => workspace.clean()));
    for (const workspace of this.all) workspace.close();
    this.all.clear();
  }

  private offer(workspace: Workspace): void {
    const waiter = this.waiting.shift();
    if (waiter !== undefined) waiter(workspace);
    else this.free.push(workspace);
  }

  private async replace(spoilt: Workspace): Promise<void> {
    const { logger, path, isMounted } = this.options;
    // What its template has mounted, and the user that goes with it, are there once.
    if (isMounted) {
      logger.error({ scratchPath: spoilt.scratchPath }, 'a workspace could not be cleaned; it is tried again');
      return this.later(() => this.giveBack(spoilt));
    }
    try {
      const [next] = await this.make(1);
      if (next !== undefined) this.offer(next);
    } catch (error) {
      logger.error({ path, error: String(error) }, 'a workspace could not be made; it is tried again');
      return this.later(() => this.replace(spoilt));
    }
    logger.error({ scratchPath: spoilt.scratchPath }, 'a workspace is given up; another one takes its place');
    spoilt.close();
    this.all.delete(spoilt);
    await removeTreeAside(join(spoilt.scratchPath, '..')).catch((error: unknown) =>
      logger.error({ scratchPath: spoilt.scratchPath, error: String(error) }, 'the folder of a given-up workspace is still there'),
    );
  }

  private later(what: () => Promise<void>): void {
    setTimeout(() => this.closed || void what(), RETRY_MS).unref();
  }

  private async make(count: number): Promise<Workspace[]> {
    const { path, firstUid, templateUid, isMounted, makeGroup } = this.options;
    const first = this.made;
    this.made += count;
    const parts = Array.from({ length: count }, (_, offset) => {
      const uid = firstUid === null ? null : firstUid + first + offset;
      const index = first + offset;
      return { path: join(path, String(index)), uid, group: uid ?? templateUid, isMounted, controlGroup: makeGroup?.(index) };
    });
    for (const part of parts) makeFolders(part.path, part);
    await makeNamedPipes(parts.flatMap((part) => [join(part.path, 'stdout'), join(part.path, 'stderr')]));
    const workspaces = parts.map((part) => new Workspace(part));
    for (const workspace of workspaces) this.all.add(workspace);
    return workspaces;
  }
}
