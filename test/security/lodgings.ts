import { execFileSync } from 'node:child_process';
import { chownSync } from 'node:fs';
import type { JobMode, Logger } from '@python3-cluster/shared';
import type { Child } from '../../packages/worker/src/runner/child';
import { Template, type TemplateOptions } from '../../packages/worker/src/runner/template';
import type { TemplateSandbox } from '../../packages/worker/src/sandbox/launch';
import type { Workspace } from '../../packages/worker/src/workspaces/workspace';
import { scratchPathsIn } from '../../packages/worker/src/run-directory/scratch-paths';
import { Workspaces } from '../../packages/worker/src/workspaces/workspaces';
import { pythonUnderTest } from '../support/optional';
import { waitFor } from '../support/wait-for';

/** Workspaces of one mode's children at once. */
export const WORKSPACES = { restricted: 12, admin: 12 } as const;

/** One mode's templates, one at a time, and the workspaces of their children; the template is started again where it was lost. */
export class Lodgings {
  private readonly options: Omit<TemplateOptions, 'onLost' | 'onVacant' | 'onForsaken' | 'onSpoilt'>;
  private readonly workspaces: Workspaces;
  private readonly taken = new Set<Workspace>();
  private ready: Promise<void> | undefined;
  private running: Template | undefined;
  private readonly owner: number | undefined;

  /** `owner`: of the folders, where the worker node is that user and not who runs the tests. */
  constructor(
    options: Omit<TemplateOptions, 'onLost' | 'onVacant' | 'onForsaken' | 'onSpoilt'>,
    { path, group, owner }: { readonly path: string; readonly group: number | null; readonly owner?: number | undefined },
    logger: Logger,
  ) {
    this.options = options;
    this.owner = owner;
    this.workspaces = new Workspaces({
      path,
      count: WORKSPACES[options.mode],
      firstUid: options.sandbox?.firstChildUid ?? null,
      templateUid: group,
      isMounted: (options.sandbox?.scratch ?? null) !== null,
      onShortage: () => undefined,
      logger,
    });
  }

  get isLost(): boolean {
    return this.running?.lost ?? true;
  }

  async fork(): Promise<Child> {
    this.ready ??= this.workspaces.start();
    await this.ready;
    if (this.running === undefined || this.running.lost) this.running = await this.start();
    const workspace = await this.workspaces.take();
    this.taken.add(workspace);
    if (this.owner !== undefined) {
      const own = [workspace.stdoutPath, workspace.stderrPath, ...(workspace.isMounted ? [] : [workspace.scratchPath])];
      for (const path of own) chownSync(path, this.owner, this.owner);
    }
    return this.running.fork(workspace);
  }

  /** Once what the child had is clean, and the next one's. */
  vacated({ workspace }: Child): Promise<boolean> {
    return waitFor('the workspace to be free again', () => !this.taken.has(workspace));
  }

  async stop(): Promise<void> {
    await this.running?.stop();
    await this.workspaces.close();
  }

  private start(): Promise<Template> {
    const onVacant = (workspace: Workspace): void => {
      void this.workspaces.giveBack(workspace).then(() => this.taken.delete(workspace));
    };
    const onSpoilt = (): never => {
      throw new Error('a workspace could not be emptied');
    };
    return Template.start({ ...this.options, onLost: () => undefined, onVacant, onForsaken: onVacant, onSpoilt });
  }
}

/** What a template's sandbox is with some of the layers only, in a run directory of its own. */
export function withLayers(
  full: TemplateSandbox,
  layers: TemplateSandbox['layers'],
  { mode, path, uid }: { readonly mode: JobMode; readonly path: string; readonly uid: number | null },
): TemplateSandbox {
  const { scratch } = full;
  return {
    ...full,
    layers,
    uid,
    firstChildUid: layers.uid && layers.namespaces ? full.firstChildUid : null,
    bubblewrap: layers.namespaces ? full.bubblewrap : undefined,
    workspacesPath: path,
    scratch: layers.namespaces && scratch ? { ...scratch, paths: scratchPathsIn(path, WORKSPACES[mode]) } : null,
  };
}

/** A file in the scratch folder of a running child, as itself would leave it: in its mounts, where no other user can make one. */
export function leaveNote({ pid, workspace }: Child, text: string): void {
  const { file, env } = pythonUnderTest();
  execFileSync(file, ['-I', '-c', LEAVE_NOTE, `/proc/${pid}/root${workspace.scratchPath}`, text], { env: { ...process.env, ...env } });
}

const LEAVE_NOTE = `
import os, sys
path, text = sys.argv[1:]
folder = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
user = os.fstat(folder).st_gid
if os.getuid() == 0:
    os.setgroups([user])
    os.setresgid(user, user, user)
    os.setresuid(user, user, user)
note = os.open("note", os.O_WRONLY | os.O_CREAT, 0o600, dir_fd=folder)
os.write(note, text.encode())
`;
