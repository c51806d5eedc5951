import { lstatSync, statfsSync, type Stats } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { inTurns } from '@python3-cluster/shared';
import { countingFolder, FolderChanged } from './count-folder';
import { readNamelessFiles } from './nameless-files';
import { isGone, readable, readBeginning } from './process-files';

/** A folder that changes under the count is counted again, so often; what was most counts. */
const COUNTS = 3;
/** What is on its way from one process to another has arrived by then. */
const SECOND_LOOK_MS = 50;

/**
 * Bytes on disk below a folder of a living job, and of files that its processes have open or mapped without a name; links are
 * not followed. Stops counting above `enough`. What cannot be looked at counts as too much; undefined where that is so of
 * the folder itself and not the job's doing: it is another user's, and this process may not look.
 */
export async function readScratchBytes(path: string, pids: readonly number[], enough: number): Promise<number | undefined> {
  const folderBytes = await readFolderBytes(path, enough);
  if (folderBytes === undefined || folderBytes > enough) return folderBytes;
  const nameless = await readNamelessFiles(path, pids);
  if (!nameless.hasHidden) return folderBytes + nameless.bytes;
  await sleep(SECOND_LOOK_MS);
  const later = await readNamelessFiles(path, pids);
  return later.hasHidden ? enough + 1 : folderBytes + Math.max(nameless.bytes, later.bytes);
}

async function readFolderBytes(path: string, enough: number): Promise<number | undefined> {
  let most = 0;
  for (let count = 0; count < COUNTS; count += 1) {
    try {
      const found = await inTurns(countingFolder(path, enough));
      most = Math.max(most, found.bytes);
      if (!found.hasChanged || most > enough) return most;
    } catch (error) {
      if (isGone(error)) return undefined;
      if (!(error instanceof FolderChanged) && isOutOfReach(path)) return undefined;
      return enough + 1;
    }
  }
  return most;
}

/** Nodes of a file system in memory: what describes a file and its name. */
const INODE_BYTES = 1_024;

/**
 * Bytes of a file system in memory that is mounted there, files without a name included. 0 where it is gone;
 * undefined where this process may not look.
 */
export function readMemoryScratch(path: string): number | undefined {
  try {
    const { bsize, blocks, bfree, files, ffree } = statfsSync(path);
    return (blocks - bfree) * bsize + Math.max(0, files - ffree) * INODE_BYTES;
  } catch (error) {
    return isGone(error) ? 0 : undefined;
  }
}

const DAC_OVERRIDE_AND_READ_SEARCH = 0b110n;

/** Whether another user works in it, whose group it has, and this process has no right over other users' files. */
function isOutOfReach(path: string): boolean {
  const mask = /^CapEff:\t([0-9a-f]+)$/m.exec(readable(readBeginning('/proc/self/status')) ?? '')?.[1] ?? '0';
  if ((BigInt(`0x${mask}`) & DAC_OVERRIDE_AND_READ_SEARCH) !== 0n) return false;
  const stats: Stats | undefined = lstatSync(path, { throwIfNoEntry: false });
  return stats !== undefined && (stats.uid !== process.getuid?.() || stats.gid !== process.getgid?.());
}
