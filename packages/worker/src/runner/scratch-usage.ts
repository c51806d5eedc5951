import { readdirSync, statSync } from 'node:fs';
import { lstat, opendir } from 'node:fs/promises';
import { join } from 'node:path';

/** Blocks of 512 bytes, whatever the file system's own are (stat(2)). */
const BLOCK_BYTES = 512;
/** More files than that are over any limit: an entry that takes no block takes a place in its folder. */
const MAX_ENTRIES = 50_000;

/**
 * Bytes on disk below a folder, and of files that the processes have open without a name; links are not followed. Stops
 * counting above `enough`. A folder that cannot be looked into counts as too much; undefined where that is so of the
 * folder itself (it is another user's, and this process may not look).
 */
export async function readScratchBytes(path: string, pids: readonly number[], enough: number): Promise<number | undefined> {
  if (!mayLook(path)) return undefined;
  let bytes = pids.reduce((total, pid) => total + readNamelessBytes(pid), 0);
  let entries = 0;
  for (const folders = [path]; folders.length > 0;) {
    const folder = folders.pop() as string;
    try {
      for await (const entry of await opendir(folder)) {
        const found = join(folder, entry.name);
        const stats = await lstat(found).catch(() => undefined);
        bytes += (stats?.blocks ?? 0) * BLOCK_BYTES;
        entries += 1;
        if (bytes > enough || entries > MAX_ENTRIES) return Math.max(bytes, enough + 1);
        if (stats?.isDirectory()) folders.push(found);
      }
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'EACCES') return enough + 1;
      // Removed meanwhile.
    }
  }
  return bytes;
}

function mayLook(path: string): boolean {
  try {
    readdirSync(path);
    return true;
  } catch {
    return false;
  }
}

function readNamelessBytes(pid: number): number {
  try {
    return readdirSync(`/proc/${pid}/fd`).reduce((total, name) => total + namelessBytes(`/proc/${pid}/fd/${name}`), 0);
  } catch {
    return 0;
  }
}

function namelessBytes(link: string): number {
  try {
    const stats = statSync(link);
    return stats.isFile() && stats.nlink === 0 ? stats.blocks * BLOCK_BYTES : 0;
  } catch {
    return 0;
  }
}
