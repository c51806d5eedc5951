import { execFile } from 'node:child_process';
import { mkdirSync, opendirSync, renameSync, rmdirSync, unlinkSync, type Dirent } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';

/** Files and folders that are removed at once; each takes some 20 µs of the event loop. */
const FEW = 200;

/**
 * Empties a folder at once if there is little in it. Else it is put aside, a new one takes its place, and a process of its
 * own removes the old one: a program can write a million files, and the loop that renews locks must not wait for their end.
 * @throws Error where it cannot be done; a promise says so by false
 */
export function emptyFolder(path: string): undefined | Promise<boolean> {
  try {
    removeFew(path, { left: FEW });
    return undefined;
  } catch {
    // Too many, too deep for a path, or not ours to remove: the command knows what to do, or fails as well.
    return replaceFolder(path);
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
  const folder = opendirSync(path);
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

const run = promisify(execFile);

async function replaceFolder(path: string): Promise<boolean> {
  const aside = `${path}-old`;
  try {
    renameSync(path, aside);
    mkdirSync(path, { mode: 0o700 });
    // What a program has locked to itself is not locked to its own user, but rm(1) does not try.
    await run('chmod', ['-R', 'u+rwx', '--', aside]);
    await run('rm', ['-rf', '--', aside]);
    return true;
  } catch {
    return false;
  }
}
