import { statSync } from 'node:fs';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { readMaps } from './kernel-objects';
import { isGone, listFolder, readWhole, UNREADABLE } from './process-files';
import { isForeign, readLiving, readNumber, type LivingProcess } from './process-memory';

const BLOCK_BYTES = 512;
const TURN_DESCRIPTORS = 64;
/** Most have a few descriptors each, so that these alone never come to a pause. */
const TURN_PROCESSES = 8;
/** A process has thousands of mappings at most, unless it makes them for their number. */
const MAX_MAPS_BYTES = 16_777_216;

export interface NamelessFiles {
  readonly bytes: number;
  /** There is something whose size nobody can tell: a descriptor on its way through a socket, a mapping that is not shown. */
  readonly hasHidden: boolean;
}

interface Found {
  /** By device and inode: processes have the same files open. */
  readonly files: Map<string, number>;
  hasHidden: boolean;
}

/** Files that the processes keep although no folder has them any more: open, mapped, or in flight between two of them. */
export async function readNamelessFiles(scratchPath: string, pids: readonly number[]): Promise<NamelessFiles> {
  const found: Found = { files: new Map(), hasHidden: false };
  const living: LivingProcess[] = [];
  for (const [index, pid] of pids.entries()) {
    if (index % TURN_PROCESSES === TURN_PROCESSES - 1) await nextTurn();
    const process = readLiving(pid);
    if (process === UNREADABLE) found.hasHidden = true;
    else if (process !== undefined) living.push(process);
  }
  for (const [index, process] of living.entries()) {
    if (index % TURN_PROCESSES === TURN_PROCESSES - 1) await nextTurn();
    await lookAtDescriptors(process, found);
  }
  for (const process of living) await lookAtMappings(process, scratchPath, found);
  const bytes = [...found.files.values()].reduce((sum, size) => sum + size, 0);
  return { bytes, hasHidden: found.hasHidden };
}

async function lookAtDescriptors({ path, status }: LivingProcess, found: Found): Promise<void> {
  const names = listFolder(`${path}/fd`);
  if (names === UNREADABLE) {
    found.hasHidden ||= !isForeign(status);
    return;
  }
  for (const [index, name] of (names ?? []).entries()) {
    if (index % TURN_DESCRIPTORS === TURN_DESCRIPTORS - 1) await nextTurn();
    lookAtFile(`${path}/fd/${name}`, found, () => {
      const info = readWhole(`${path}/fdinfo/${name}`);
      found.hasHidden ||= info === UNREADABLE || readNumber(info ?? '', 'scm_fds') > 0;
    });
  }
}

function lookAtFile(link: string, found: Found, onSocket?: () => void): void {
  try {
    const stats = statSync(link);
    if (stats.isSocket()) onSocket?.();
    if (stats.isFile() && stats.nlink === 0) found.files.set(`${stats.dev}:${stats.ino}`, stats.blocks * BLOCK_BYTES);
  } catch (error) {
    found.hasHidden ||= !isGone(error);
  }
}

/** `start-end rights offset device inode path (deleted)`; in paths, a new line is written as `\012`. */
const DELETED = /^([0-9a-f]+-[0-9a-f]+) \S+ \S+ (\S+) (\d+) +(\/.*) \(deleted\)$/;

/** A file that is mapped lives on when its descriptor is closed. */
async function lookAtMappings({ path, status }: LivingProcess, scratchPath: string, found: Found): Promise<void> {
  const below = Buffer.from(`${scratchPath}/`).toString('latin1');
  const own = path.replace(/\/\d+\/task\//, '/');
  let length = 0;
  let rest = '';
  for (const part of readMaps(path)) {
    if (part === UNREADABLE) {
      found.hasHidden ||= !isForeign(status);
      return;
    }
    length += part.length;
    if (length > MAX_MAPS_BYTES) {
      found.hasHidden = true;
      return;
    }
    const lines = (rest + part.toString('latin1')).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) {
      const [, range, , , file] = DELETED.exec(line) ?? [];
      if (file?.startsWith(below) === true) lookAtMapping(`${own}/map_files/${range}`, line, found);
    }
    await nextTurn();
  }
}

function lookAtMapping(link: string, line: string, found: Found): void {
  const [, , device = '', inode = ''] = DELETED.exec(line) ?? [];
  const [major = 0, minor = 0] = device.split(':').map((part) => parseInt(part, 16));
  // As the kernel packs it for stat(2).
  const number = (minor & 0xff) | (major << 8) | ((minor & ~0xff) << 12);
  if (!found.files.has(`${number}:${inode}`)) lookAtFile(link, found);
}
