import { execFile } from 'node:child_process';
import { chmodSync, lchownSync, lstatSync, opendirSync, readdirSync, rmdirSync, rmSync, unlinkSync, type Dir, type Dirent } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { atOnce, inTurns, type Steps } from '@python3-cluster/shared';

/** Files and folders that are removed at once; each takes some 20 µs of the event loop. */
const FEW = 200;

/**
 * Empties a folder at once if there is little in it. Else a process of its own does: a program can write a million files,
 * and the loop that renews locks must not wait for their end. The folder itself stays, as the sandbox of a kept child is
 * closed around it. No process may have it in use.
 * @throws Error where it cannot be done; a promise says so by false. The folder may be ours afterwards, whosever it was
 */
export function emptyFolder(path: string): undefined | Promise<boolean> {
  try {
    removeFew(path, { left: FEW });
    return undefined;
  } catch {
    // Too many, too deep for a path, or not ours to remove: what follows knows what to do, or fails as well.
    return emptyByProcess(path);
  }
}

/** Links are removed, never followed. */
function removeFew(path: string, budget: { left: number }): void {
  for (const entry of listFew(path, budget)) {
    const inner = join(path, entry.name);
    if (!entry.isDirectory()) unlinkSync(inner);
    else {
      removeFew(inner, budget);
      rmdirSync(inner);
    }
  }
}

/** Reads no further than the budget goes. */
function listFew(path: string, budget: { left: number }): Dirent[] {
  const folder = openFolder(path);
  try {
    const entries: Dirent[] = [];
    for (let entry = folder.readSync(); entry !== null; entry = folder.readSync()) {
      if ((budget.left -= 1) < 0) throw new Error('too many');
      entries.push(entry);
    }
    return entries;
  } finally {
    folder.closeSync();
  }
}

function openFolder(path: string): Dir {
  try {
    return opendirSync(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EACCES') throw error;
    takeOver(path);
    return opendirSync(path);
  }
}

/**
 * Root without its rights over other users' files, as in a container, may change owners all the same. Removing a file takes
 * rights over its folder only.
 */
export function takeOver(path: string): void {
  const { uid } = lstatSync(path);
  if (uid !== process.getuid?.()) lchownSync(path, process.getuid?.() ?? 0, process.getgid?.() ?? 0);
  chmodSync(path, 0o700);
}

async function emptyByProcess(path: string): Promise<boolean> {
  const empty = async (): Promise<unknown> => promisify(execFile)('find', [path, '-mindepth', '1', '-delete']);
  try {
    await empty().catch(() => inTurns(takingOver(path)).then(empty));
    return true;
  } catch {
    return false;
  }
}

/** A folder with all in it, whosever that is, following no link. No process may have it in use. @throws Error */
export function removeTree(path: string): void {
  const remove = (): void => rmSync(path, { recursive: true, force: true, maxRetries: 3 });
  try {
    remove();
  } catch {
    atOnce(takingOver(path));
    remove();
  }
}

/** From the top: a folder can be looked into once it is ours. */
function* takingOver(path: string): Steps<void> {
  takeOver(path);
  yield;
  for (const entry of readdirSync(path, { withFileTypes: true })) {
    if (entry.isDirectory()) yield* takingOver(join(path, entry.name));
  }
}
