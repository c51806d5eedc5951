import { chmodSync, lchownSync, lstatSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';

/**
 * Removes all that is in a folder, following no link. No process may have it in use.
 * @returns whether folders had to be taken back from another user: the folder itself is ours then
 */
export function emptyFolder(path: string): boolean {
  try {
    removeContent(path);
    return false;
  } catch (error) {
    if (!isRefusal(error)) throw error;
  }
  // Root without its rights over other users' files, as in a container: it may change owners all the same.
  takeBack(path);
  removeContent(path);
  return true;
}

function removeContent(path: string): void {
  for (const name of readdirSync(path)) rmSync(join(path, name), { recursive: true, force: true });
}

/** From the top: a folder can be looked into once it is ours. Removing a file takes no rights over the file. */
function takeBack(path: string): void {
  lchownSync(path, process.getuid?.() ?? 0, process.getgid?.() ?? 0);
  chmodSync(path, 0o700);
  for (const name of readdirSync(path)) {
    const entry = join(path, name);
    if (lstatSync(entry).isDirectory()) takeBack(entry);
  }
}

const isRefusal = (error: unknown): boolean => ['EACCES', 'EPERM'].includes((error as NodeJS.ErrnoException).code ?? '');
