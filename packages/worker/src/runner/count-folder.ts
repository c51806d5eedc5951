import { closeSync, constants, lstatSync, openSync, opendirSync } from 'node:fs';
import type { Steps } from '@python3-cluster/shared';

/** Blocks of 512 bytes, whatever the file system's own are (stat(2)). */
const BLOCK_BYTES = 512;
/** More files than that are over any limit: an entry that takes no block takes a place in its folder. */
const MAX_ENTRIES = 50_000;
/** Each level holds a descriptor of this process; deeper than that is over any limit, too. */
const MAX_DEPTH = 48;
const TURN_ENTRIES = 64;
const NAMES_AT_ONCE = 512;

const { O_RDONLY, O_DIRECTORY, O_NOFOLLOW, O_NONBLOCK } = constants;
const FOLDER_FLAGS = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_NONBLOCK;

export interface FolderCount {
  readonly bytes: number;
  /** Something was renamed, replaced or removed meanwhile: what it held may be missing. */
  readonly hasChanged: boolean;
}

/** The folder itself is not one any more. */
export class FolderChanged extends Error {}

interface Count {
  readonly enough: number;
  readonly linked: Set<string>;
  bytes: number;
  entries: number;
  hasChanged: boolean;
}

/**
 * Bytes on disk below a folder that a hostile process changes while it is counted. Each folder is opened from the one above
 * it by its own name alone: a name need not be text, a path can be longer than the kernel takes, and a folder that became a
 * link is not followed. A file with several names counts once. Stops above `enough`; too many and too deep is more than that.
 *
 * Throws what the kernel says of the folder itself, and of one below that may not be looked into.
 */
export function* countingFolder(path: string, enough: number): Steps<FolderCount> {
  const count: Count = { enough, linked: new Set(), bytes: 0, entries: 0, hasChanged: false };
  const descriptor = openFolder(path);
  if (descriptor === undefined) throw new FolderChanged(path);
  yield* counting(descriptor, 1, count);
  return count;
}

/** Closes the descriptor: one is open for each level, and no more. */
function* counting(descriptor: number, depth: number, count: Count): Steps<void> {
  try {
    const folders = yield* countingEntries(descriptor, count);
    if (folders.length > 0 && depth === MAX_DEPTH) count.bytes = count.enough + 1;
    for (const folder of folders) {
      if (count.bytes > count.enough) return;
      const inner = openFolder(folder);
      if (inner === undefined) count.hasChanged = true;
      else yield* counting(inner, depth + 1, count);
    }
  } finally {
    closeSync(descriptor);
  }
}

/** @returns the folders among them */
function* countingEntries(descriptor: number, count: Count): Steps<Buffer[]> {
  const prefix = Buffer.from(`/proc/self/fd/${descriptor}/`);
  const folders: Buffer[] = [];
  // All names first: listing them takes a fraction of looking at each, and too many are too much.
  for (const [index, name] of (yield* listingNames(prefix, count)).entries()) {
    if (count.bytes > count.enough) break;
    if (index % TURN_ENTRIES === TURN_ENTRIES - 1) yield;
    const path = Buffer.concat([prefix, name]);
    if (add(path, count)) folders.push(path);
  }
  return folders;
}

function* listingNames(path: Buffer, count: Count): Steps<Buffer[]> {
  const names: Buffer[] = [];
  // The types do not know that names may be asked for as they are.
  const folder = opendirSync(path.toString(), { encoding: 'buffer' as BufferEncoding, bufferSize: NAMES_AT_ONCE });
  try {
    for (let entry = folder.readSync(); entry !== null; entry = folder.readSync()) {
      names.push(entry.name as unknown as Buffer);
      count.entries += 1;
      if (count.entries % NAMES_AT_ONCE === 0) yield;
      if (count.entries > MAX_ENTRIES) {
        count.bytes = count.enough + 1;
        break;
      }
    }
  } finally {
    folder.closeSync();
  }
  return names;
}

/** @returns whether it is a folder */
function add(path: Buffer, count: Count): boolean {
  const stats = lstatSync(path, { throwIfNoEntry: false });
  if (stats === undefined) {
    count.hasChanged = true;
    return false;
  }
  const isCounted = !stats.isDirectory() && stats.nlink > 1 && count.linked.has(`${stats.dev}:${stats.ino}`);
  if (stats.nlink > 1) count.linked.add(`${stats.dev}:${stats.ino}`);
  if (!isCounted) count.bytes += stats.blocks * BLOCK_BYTES;
  return stats.isDirectory();
}

/** undefined where it is gone, or something else by now. */
function openFolder(path: Buffer | string): number | undefined {
  try {
    return openSync(path, FOLDER_FLAGS);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (typeof path !== 'string' && code === 'ENOENT') return undefined;
    if (code === 'ENOTDIR' || code === 'ELOOP') return undefined;
    throw error;
  }
}
