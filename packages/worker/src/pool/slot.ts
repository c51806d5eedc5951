import { chmodSync, chownSync, lchownSync, lstatSync, mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { JobMode } from '@python3-cluster/shared';
import { makeNamedPipes, type RunDirectory } from '../runner/stage-runner';
import type { SlotOwners } from '../sandbox/slot-owners';
import { emptyFolder, takeOver } from './empty-folder';
import { OutputCapture } from './output-capture';

const SCRATCH_MODE = 0o700;
const PIPE_MODE = 0o600;
/** Both modes' users write, by owner and by group; neither reads. */
const SHARED_PIPE_MODE = 0o220;
const ALL_MODES = 0o7777n;

/** One permit to run a job: a scratch folder of its own and the two pipes its output goes to. */
export class Slot {
  readonly index: number;
  readonly scratchPath: string;
  readonly stdoutPath: string;
  readonly stderrPath: string;
  readonly stdout: OutputCapture;
  readonly stderr: OutputCapture;
  private cleanInode = -1n;
  private cleanedAt = -1n;
  private readonly owners: SlotOwners | undefined;
  /** User the scratch folder belongs to. */
  private owner: number | undefined;

  private constructor(index: number, path: string, owners: SlotOwners | undefined) {
    this.index = index;
    this.owners = owners;
    this.scratchPath = join(path, 'scratch');
    this.stdoutPath = join(path, 'stdout');
    this.stderrPath = join(path, 'stderr');
    this.stdout = new OutputCapture(this.stdoutPath);
    this.stderr = new OutputCapture(this.stderrPath);
    // The reading ends are open by now. Either mode's children may open the others; their Landlock leaves them those of
    // the one slot they were given.
    if (owners !== undefined) {
      for (const pipe of [this.stdoutPath, this.stderrPath]) {
        chmodSync(pipe, SHARED_PIPE_MODE);
        chownSync(pipe, owners.restricted, owners.admin);
      }
    }
  }

  static async create(directory: RunDirectory, index: number, owners?: SlotOwners): Promise<Slot> {
    const path = directory.slotPath(index);
    rmSync(path, { recursive: true, force: true });
    mkdirSync(path);
    chmodSync(path, 0o711);
    mkdirSync(join(path, 'scratch'), { mode: SCRATCH_MODE });
    await makeNamedPipes([join(path, 'stdout'), join(path, 'stderr')]);
    return new Slot(index, path, owners);
  }

  /** Gives the scratch folder to the user that the mode's children run as. */
  prepare(mode: JobMode): void {
    const owner = this.owners?.[mode];
    if (owner === this.owner || owner === undefined) return;
    lchownSync(this.scratchPath, owner, owner);
    this.owner = owner;
    this.cleanedAt = -1n;
  }

  /**
   * Removes what the last job left; a promise where that takes a while.
   * @returns false if something would not go: the slot must not be used again
   */
  clean(): boolean | Promise<boolean> {
    try {
      const folder = lstatSync(this.scratchPath, { bigint: true });
      // User code could have replaced its own folder: what a link points to is not ours to empty.
      if (!folder.isDirectory()) return false;
      this.restorePipes();
      // Nothing was made or removed in it since: most jobs touch no file.
      if (folder.ino === this.cleanInode && folder.ctimeNs === this.cleanedAt) return true;
      if ((folder.mode & ALL_MODES) !== BigInt(SCRATCH_MODE)) {
        takeOver(this.scratchPath);
        this.owner = undefined;
      }
      const emptied = emptyFolder(this.scratchPath);
      if (emptied !== undefined) {
        // It may have had to be taken from its owner.
        this.owner = undefined;
        return emptied;
      }
      this.rememberClean();
      return true;
    } catch {
      return false;
    }
  }

  /** Whoever owns them could have closed them to the next job. */
  private restorePipes(): void {
    const mode = this.owners === undefined ? PIPE_MODE : SHARED_PIPE_MODE;
    for (const path of [this.stdoutPath, this.stderrPath]) {
      if ((lstatSync(path).mode & Number(ALL_MODES)) !== mode) chmodSync(path, mode);
    }
  }

  private rememberClean(): void {
    const folder = lstatSync(this.scratchPath, { bigint: true });
    this.cleanInode = folder.ino;
    this.owner = Number(folder.uid);
    // A time that the kernel's clock may still be showing would not tell what is made next from what was just removed.
    const isSettled = BigInt(Date.now()) * 1_000_000n - folder.ctimeNs > CLOCK_STEP_NS;
    this.cleanedAt = isSettled ? folder.ctimeNs : -1n;
  }

  close(): void {
    this.stdout.close();
    this.stderr.close();
  }
}

/** Well above the step of file times: a tick of the kernel, at most 10 ms, before Linux 6.13 and on many file systems. */
const CLOCK_STEP_NS = 50_000_000n;
