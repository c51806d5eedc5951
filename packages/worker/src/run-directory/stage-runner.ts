import { execFile } from 'node:child_process';
import { chmodSync, cpSync, existsSync, lstatSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { JOB_MODES, type JobMode } from '@python3-cluster/shared';
import { emptyAtOnce, removeTree } from './empty-folder';

/** Where a worker node keeps what its slots need while it runs. Removed when it stops. */
export interface RunDirectory {
  readonly path: string;
  /** Copy of `python/runner`: the clone may stand where slots cannot read (a home directory). */
  readonly runnerPath: string;
  /** Children connect here, one connection each. */
  readonly socketPath: string;
  /** Where the workspaces of one mode's children are. */
  readonly workspacesPath: (mode: JobMode) => string;
}

const PREFIX = 'python3-cluster-';
const OWNER_FILE = 'worker.pid';

/** Creates the run directory and stages the runner in it. Sweeps those of worker nodes that were killed. */
export function stageRunner(parent: string, runnerSource: string): RunDirectory {
  const base = parent === '' ? tmpdir() : parent;
  mkdirSync(base, { recursive: true });
  removeAbandoned(base);
  const path = mkdtempSync(join(base, PREFIX));
  writeFileSync(join(path, OWNER_FILE), `${process.pid} ${startTimeOf(process.pid) ?? ''}`);
  // Passable but not listable by slots.
  chmodSync(path, 0o711);
  const runnerPath = join(path, 'runner');
  cpSync(runnerSource, runnerPath, { recursive: true, filter: (source) => !source.includes('__pycache__') });
  openToReaders(runnerPath);
  const workspacesPath = (mode: JobMode): string => join(path, mode);
  for (const mode of JOB_MODES) {
    mkdirSync(workspacesPath(mode));
    chmodSync(workspacesPath(mode), 0o711);
  }
  return { path, runnerPath, socketPath: join(path, 'jobs.sock'), workspacesPath };
}

/** Whatever the umask and the modes of the clone are, slots with users of their own read it. */
function openToReaders(path: string): void {
  chmodSync(path, 0o755);
  for (const entry of readdirSync(path, { withFileTypes: true })) {
    if (entry.isDirectory()) openToReaders(join(path, entry.name));
    else chmodSync(join(path, entry.name), 0o644);
  }
}

export function removeRunDirectory(directory: RunDirectory): void {
  removeTree(directory.path);
}

/** Named pipes have no call of their own in Node. */
export async function makeNamedPipes(paths: readonly string[]): Promise<void> {
  await promisify(execFile)('mkfifo', ['-m', '600', ...paths]);
}

/** Removes the run directories of worker nodes that are gone: killed ones cannot do it themselves. */
export function removeAbandoned(base: string): void {
  for (const name of readdirSync(base)) {
    const owner = join(base, name, OWNER_FILE);
    if (!name.startsWith(PREFIX) || !existsSync(owner)) continue;
    try {
      // In a folder that everybody may write to, what others made is theirs to remove, whatever it says.
      if (lstatSync(join(base, name)).uid !== process.getuid?.()) continue;
      if (!isOwned(readFileSync(owner, 'utf8'))) removeOwnerLast(join(base, name));
    } catch {
      // Another user's, or another worker node is sweeping it at this moment.
    }
  }
}

/** A sweep that is cut short, by a process that dies slowly say, is finished by the next one: it must find the owner file. */
function removeOwnerLast(path: string): void {
  // A link is removed, not followed.
  for (const name of lstatSync(path).isDirectory() ? readdirSync(path) : []) {
    if (name === OWNER_FILE) continue;
    try {
      removeTree(join(path, name));
    } catch {
      // Root without its rights over other users' files, as in a container: what is theirs goes as them.
      for (const workspace of readdirSync(join(path, name))) emptyAsGroup(join(path, name, workspace, 'scratch'));
      removeTree(join(path, name));
    }
  }
  removeTree(path);
}

/** A scratch folder is ours; its group is who worked there, and whom alone the files in it belong to. */
function emptyAsGroup(scratchPath: string): void {
  const { gid } = lstatSync(scratchPath);
  emptyAtOnce(scratchPath, gid === process.getgid?.() ? null : gid);
}

/** Pids are used again: soon where jobs fork, and in a container after every restart. A zombie owns nothing any more. */
function isOwned(owner: string): boolean {
  const [pid, startTime] = owner.split(' ');
  const found = readStat(Number(pid));
  if (found === undefined) return isAlive(Number(pid));
  return !['Z', 'X'].includes(found.state) && (!startTime || found.startTime === startTime);
}

const startTimeOf = (pid: number): string | undefined => readStat(pid)?.startTime;

/** Fields 3 and 22 of proc(5) stat, the latter in kernel ticks since boot; undefined where there is none to read. */
function readStat(pid: number): { readonly state: string; readonly startTime: string } | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return { state: fields[0] ?? '', startTime: fields[19] ?? '' };
  } catch {
    return undefined;
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
