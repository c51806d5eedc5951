import { chmodSync, chownSync, lstatSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { WorkspaceGroup } from '../sandbox/workspace-group';
import { emptyFolder } from '../run-directory/empty-folder';
import { OutputCapture } from './output-capture';

/** Who works in it, and where its scratch folder is. */
export interface WorkspaceParts {
  readonly path: string;
  /** User and group that the child becomes; null where it stays its template's. */
  readonly uid: number | null;
  /** Group that may write there: the child's, or its template's; null where all are the worker node's user. */
  readonly group: number | null;
  /** The scratch folder is a file system of the template's, which keeps its bounds and empties it; here is only where it is mounted. */
  readonly isMounted: boolean;
  /** For all processes of its child, where there are such groups. */
  readonly controlGroup?: WorkspaceGroup | undefined;
}

export interface CapturedOutput {
  readonly bytes: Buffer;
  readonly truncated: boolean;
}

/** Nobody who works there owns it, so nobody can close it to those who come next. */
const SHARED_FOLDER_MODE = 0o770;
const SHARED_PIPE_MODE = 0o620;
const OWN_FOLDER_MODE = 0o700;
const OWN_PIPE_MODE = 0o600;
const ALL_MODES = 0o7777;

/**
 * What one child may reach: a scratch folder, the two pipes its output goes to and, where there are users enough, a user. It is
 * the child's alone from its birth until every process of it is dead, kept or not; only then does another child get it, clean.
 */
export class Workspace {
  readonly uid: number | null;
  readonly scratchPath: string;
  readonly stdoutPath: string;
  readonly stderrPath: string;
  readonly isMounted: boolean;
  readonly controlGroup: WorkspaceGroup | undefined;
  readonly stdout: OutputCapture;
  readonly stderr: OutputCapture;
  private readonly group: number | null;
  private use: Promise<void> | undefined;
  private endUse: (() => void) | undefined;
  private cleanState: string | undefined;

  /** The folder and its pipes must be there: see `makeFolders`. */
  constructor({ path, uid, group, isMounted, controlGroup }: WorkspaceParts) {
    this.uid = uid;
    this.group = group;
    this.isMounted = isMounted;
    this.controlGroup = controlGroup;
    this.scratchPath = join(path, 'scratch');
    this.stdoutPath = join(path, 'stdout');
    this.stderrPath = join(path, 'stderr');
    this.stdout = new OutputCapture(this.stdoutPath);
    this.stderr = new OutputCapture(this.stderrPath);
    if (group !== null) {
      for (const pipe of [this.stdoutPath, this.stderrPath]) chownSync(pipe, process.getuid?.() ?? 0, group);
    }
    this.restorePipes();
  }

  /** Keeps what is printed from now on, up to `limitBytes` of either; what a kept child printed between two jobs is nobody's. */
  begin(limitBytes: number): void {
    this.use = new Promise((resolve) => (this.endUse = resolve));
    this.stdout.begin(limitBytes);
    this.stderr.begin(limitBytes);
  }

  /** All that was printed. Call it once the job is over: every process dead, or the child that stays waiting. */
  finish(): { readonly stdout: CapturedOutput; readonly stderr: CapturedOutput } {
    try {
      return { stdout: this.stdout.finish(), stderr: this.stderr.finish() };
    } finally {
      this.endUse?.();
      this.use = undefined;
    }
  }

  /** Of a kept child between two jobs: called when it prints. */
  onNews(listener: (() => void) | undefined): void {
    this.stdout.onNews = this.stderr.onNews = listener;
  }

  /** When nobody is to take any output of it any more. */
  async unused(): Promise<void> {
    await this.use;
  }

  /**
   * Takes away what its last child left. No process of that child may live. Where the scratch folder is mounted, its template
   * has emptied it.
   * @returns false if something would not go: it must not be used again
   */
  async clean(): Promise<boolean> {
    try {
      this.stdout.discard();
      this.stderr.discard();
      this.restorePipes();
      return this.isMounted || (await this.cleanFolder());
    } catch {
      return false;
    }
  }

  close(): void {
    this.stdout.close();
    this.stderr.close();
    this.controlGroup?.close();
  }

  private async cleanFolder(): Promise<boolean> {
    // Nothing was made or removed in it since: most jobs touch no file.
    if (this.cleanState !== undefined && this.readState() === this.cleanState) return true;
    if (!(await emptyFolder(this.scratchPath, this.group))) return false;
    const mode = this.group === null ? OWN_FOLDER_MODE : SHARED_FOLDER_MODE;
    if ((lstatSync(this.scratchPath).mode & ALL_MODES) !== mode) chmodSync(this.scratchPath, mode);
    this.cleanState = this.readState();
    return true;
  }

  /** Where its user owns them, it could have closed them to the next child. */
  private restorePipes(): void {
    const mode = this.group === null ? OWN_PIPE_MODE : SHARED_PIPE_MODE;
    for (const pipe of [this.stdoutPath, this.stderrPath]) {
      if ((lstatSync(pipe).mode & ALL_MODES) !== mode) chmodSync(pipe, mode);
    }
  }

  /**
   * Tells whether anything was made or removed in the folder since. A time that the kernel's clock may still be showing would
   * not tell what is made next from what was just removed, and so tells nothing.
   */
  private readState(): string | undefined {
    const { ino, ctimeNs, mode } = lstatSync(this.scratchPath, { bigint: true });
    const isSettled = BigInt(Date.now()) * 1_000_000n - ctimeNs > CLOCK_STEP_NS;
    return isSettled ? `${ino} ${ctimeNs} ${mode}` : undefined;
  }
}

/** Well above the step of file times: a tick of the kernel, at most 10 ms, before Linux 6.13 and on many file systems. */
const CLOCK_STEP_NS = 50_000_000n;

/** The folders of a workspace, but for its pipes, which are made for many at once. */
export function makeFolders(path: string, { group, isMounted }: Pick<WorkspaceParts, 'group' | 'isMounted'>): void {
  mkdirSync(path);
  // Passable but not listable by those who work beside it.
  chmodSync(path, 0o711);
  const scratchPath = join(path, 'scratch');
  mkdirSync(scratchPath);
  if (isMounted) return chmodSync(scratchPath, 0o711);
  if (group !== null) chownSync(scratchPath, process.getuid?.() ?? 0, group);
  chmodSync(scratchPath, group === null ? OWN_FOLDER_MODE : SHARED_FOLDER_MODE);
}
