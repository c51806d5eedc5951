import { execFile, execFileSync } from 'node:child_process';
import { closeSync, constants, lstatSync, opendirSync, openSync, rmdirSync, unlinkSync } from 'node:fs';
import { promisify } from 'node:util';

/** Files and folders that are removed at once; each takes some 20 µs of the event loop. */
const FEW = 200;
const FOLDER = constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW;

/**
 * Empties a folder at once if there is little in it. Else a process of its own does, as the user who filled it: a program can
 * write a million files, and the loop that renews locks must not wait for their end. No process may live that can write there.
 *
 * Even so, nothing here goes by a path through a folder that was a job's: each is opened, never through a link, and what is in
 * it is removed by way of that descriptor (openat(2) and unlinkat(2), which Node lacks, as paths below /proc/self/fd).
 * @param user whose files they are; null where they are this process's own
 * @returns false where something would not go
 */
export async function emptyFolder(path: string, user: number | null): Promise<boolean> {
  try {
    removeFew(Buffer.from(path), { left: FEW });
    return true;
  } catch {
    // Too many, or not ours to remove: what follows knows what to do, or fails as well.
    return emptyAsUser(path, user).then(
      () => true,
      () => false,
    );
  }
}

function removeFew(path: Buffer, budget: { left: number }): void {
  const descriptor = openSync(path, FOLDER);
  try {
    const folder = Buffer.from(`/proc/self/fd/${descriptor}/`);
    for (const name of listFew(folder, budget)) {
      const inner = Buffer.concat([folder, name]);
      if (!lstatSync(inner).isDirectory()) {
        unlinkSync(inner);
        continue;
      }
      removeFew(inner, budget);
      rmdirSync(inner);
    }
  } finally {
    closeSync(descriptor);
  }
}

/** Reads no further than the budget goes. Bytes: not every name is text. */
function listFew(path: Buffer, budget: { left: number }): Buffer[] {
  const folder = opendirSync(path, { encoding: 'buffer' as BufferEncoding });
  try {
    const names: Buffer[] = [];
    for (let entry = folder.readSync(); entry !== null; entry = folder.readSync()) {
      if ((budget.left -= 1) < 0) throw new Error('too many');
      names.push(entry.name as unknown as Buffer);
    }
    return names;
  } finally {
    folder.closeSync();
  }
}

/** find(1) goes by descriptors, too. First it opens what was closed: whoever owns a folder can take away every right to it. */
const OPEN_FOLDERS = ['-mindepth', '1', '-type', 'd', '!', '-perm', '-700', '-exec', 'chmod', '700', '{}', ';'];
const DELETE_ALL_IN_IT = ['-mindepth', '1', '-delete'];
const DELETE_ALL = ['-delete'];

async function emptyAsUser(path: string, user: number | null): Promise<void> {
  assertFolder(path);
  for (const words of [OPEN_FOLDERS, DELETE_ALL_IN_IT]) await promisify(execFile)('find', [path, ...words], asUser(user));
}

/** The same, holding up the event loop. @throws Error where something would not go */
export function emptyAtOnce(path: string, user: number | null): void {
  assertFolder(path);
  for (const words of [OPEN_FOLDERS, DELETE_ALL_IN_IT]) execFileSync('find', [path, ...words], { ...asUser(user), stdio: 'ignore' });
}

const asUser = (user: number | null): { cwd: string; uid?: number; gid?: number } =>
  user === null ? { cwd: '/' } : { cwd: '/', uid: user, gid: user };

/** Of a link or a file find(1) would see nothing to remove, and be content. */
function assertFolder(path: string): void {
  if (!lstatSync(path).isDirectory()) throw new Error('no folder');
}

/** A folder with all in it, following no link; nothing where there is none. @throws Error where something would not go */
export function removeTree(path: string): void {
  if (isThere(path)) execFileSync('find', [path, ...DELETE_ALL], { cwd: '/', stdio: 'ignore' });
}

/** The same beside the event loop. */
export async function removeTreeAside(path: string): Promise<void> {
  if (isThere(path)) await promisify(execFile)('find', [path, ...DELETE_ALL], { cwd: '/' });
}

function isThere(path: string): boolean {
  return lstatSync(path, { throwIfNoEntry: false }) !== undefined;
}
