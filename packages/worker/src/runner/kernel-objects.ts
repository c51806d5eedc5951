import { closeSync, openSync, readSync } from 'node:fs';
import { open, readFile } from 'node:fs/promises';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { inTurns, type Steps } from '@python3-cluster/shared';
import { isGone, listFolder, readTarget, readWhole, UNREADABLE, type Unreadable } from './process-files';
import { isForeign, readLiving, readNumber, TOO_MUCH, unlessEnding, type LivingProcess } from './process-memory';

/*
 * What the kernel keeps for a process beside its pages, where no control group counts it. Nobody tells how much that is, so
 * each thing that can be seen counts as the most it can be. What cannot be seen is refused by the filters
 * (`scripts/seccomp/system_calls.py`), or bounded by the kernel.
 */

/** Unread bytes of a Unix socket: what its other end may have written (`net.core.wmem_default`), and what describes it. */
const SOCKET_BYTES = readWmemDefault() + 65_536;
/** A pipe's sixteen pages; a user's further pipes get fewer (`fs.pipe-user-pages-soft`). */
const PIPE_BYTES = 65_536;
/** Timers, counters; and of a set of watched descriptors one watch for each of some hundred. */
const OTHER_BYTES = 16_384;
const OPEN_FILE_BYTES = 1_024;
/** Of a process that may not be looked into: each place in its table beyond the first ones, which every process has. */
const FIRST_PLACES = 64;
/** A lock of a part of a file is a line of some sixty bytes, and takes the kernel about four times as much. */
const LOCK_BYTES_PER_BYTE = 4;
/** Room for the locks of a thousand parts of one file; more are too many. */
const LOCKS_CHUNK_BYTES = 65_536;
const MAPPING_BYTES = 400;

const TURN_DESCRIPTORS = 256;
/** The kernel allows 65,530 mappings of a process, unless told otherwise. */
const MAPS_CHUNK_BYTES = 65_536;
const MAX_MAPS_BYTES = 16_777_216;

/** Bytes over all processes; what two of them have both open counts once. Stops counting above `enough`. */
export async function readKernelObjects(pids: readonly number[], enough = TOO_MUCH): Promise<number> {
  const seen = new Set<string>();
  let bytes = 0;
  for (const pid of pids) {
    const living = readLiving(pid);
    if (living === undefined) continue;
    if (living === UNREADABLE) return TOO_MUCH;
    const held = (await readDescriptors(living, seen)) + (await inTurns(readingMappings(living)));
    bytes += held === TOO_MUCH ? unlessEnding(pid) : held;
    if (bytes === TOO_MUCH || bytes > enough) return bytes;
  }
  return bytes + (await readUnacceptedBytes(pids[0] as number, seen));
}

async function readDescriptors({ path, status }: LivingProcess, seen: Set<string>): Promise<number> {
  const names = listFolder(`${path}/fd`);
  if (names === UNREADABLE) {
    if (!isForeign(status)) return TOO_MUCH;
    return Math.max(0, readNumber(status, 'FDSize') - FIRST_PLACES) * SOCKET_BYTES + FIRST_PLACES * OTHER_BYTES;
  }
  let bytes = 0;
  for (const [index, name] of (names ?? []).entries()) {
    if (index % TURN_DESCRIPTORS === TURN_DESCRIPTORS - 1) await nextTurn();
    const target = readTarget(`${path}/fd/${name}`);
    if (target === UNREADABLE) return TOO_MUCH;
    if (target !== undefined) bytes += OPEN_FILE_BYTES + (await bytesOf(target, `${path}/fdinfo/${name}`, seen));
  }
  return bytes;
}

async function bytesOf(target: string, infoPath: string, seen: Set<string>): Promise<number> {
  if (target.startsWith('anon_inode:')) return OTHER_BYTES;
  if (target.startsWith('/dev/')) return 0;
  if (target.startsWith('/')) return readLockBytes(infoPath);
  // The same pipe or socket again.
  if (seen.has(target)) return 0;
  seen.add(target);
  if (target.startsWith('pipe:')) return PIPE_BYTES;
  const info = readWhole(infoPath);
  if (info === UNREADABLE) return TOO_MUCH;
  // Descriptors that were sent and not received are in nobody's table, and may be sockets as well.
  return SOCKET_BYTES * (1 + readNumber(info ?? '', 'scm_fds'));
}

/**
 * Connections to a Unix socket that nobody has accepted are in no table of descriptors: whoever made them may have gone, and
 * what was written waits. They stand in the list under their listener's name, without a number.
 */
async function readUnacceptedBytes(pid: number, seen: ReadonlySet<string>): Promise<number> {
  // Every job has its own channel to the worker node, and most no other socket.
  if ([...seen].filter((target) => target.startsWith('socket:')).length < 2) return 0;
  const text = await readFile(`/proc/${pid}/net/unix`, 'latin1').catch((error: unknown) => (isGone(error) ? '' : UNREADABLE));
  if (text === UNREADABLE) return TOO_MUCH;
  const rows = text.split('\n').map((row) => row.trim().split(/ +/));
  const isListener = ([, , , flags, , , inode]: string[]): boolean => flags === LISTENS && seen.has(`socket:[${inode}]`);
  const names = new Set(rows.filter(isListener).map(([, , , , , , , name]) => name));
  return rows.filter(([, , , , , , inode, name]) => inode === '0' && names.has(name)).length * SOCKET_BYTES;
}

/** __SO_ACCEPTCON */
const LISTENS = '00010000';

/** Not on the loop: the kernel writes all lines before it gives the first, which takes long where there are many. */
async function readLockBytes(infoPath: string): Promise<number> {
  try {
    const file = await open(infoPath, 'r');
    try {
      const { bytesRead, buffer } = await file.read(Buffer.alloc(LOCKS_CHUNK_BYTES));
      if (bytesRead === LOCKS_CHUNK_BYTES) return TOO_MUCH;
      const start = buffer.subarray(0, bytesRead).indexOf('\nlock:');
      return start < 0 ? 0 : (bytesRead - start) * LOCK_BYTES_PER_BYTE;
    } finally {
      await file.close();
    }
  } catch (error) {
    return isGone(error) ? 0 : TOO_MUCH;
  }
}

/** Cut anew, each page of a process can be a mapping of its own, and none of them in its memory. */
function* readingMappings(living: LivingProcess): Steps<number> {
  let lines = 0;
  let length = 0;
  for (const part of readMaps(living.path)) {
    if (part === UNREADABLE) return isForeign(living.status) ? 0 : TOO_MUCH;
    for (let at = part.indexOf(NEWLINE); at >= 0; at = part.indexOf(NEWLINE, at + 1)) lines += 1;
    length += part.length;
    if (length > MAX_MAPS_BYTES) return TOO_MUCH;
    yield;
  }
  return lines * MAPPING_BYTES;
}

const NEWLINE = 10;

/** /proc/<pid>/maps, part by part; nothing where the process is gone. */
export function* readMaps(path: string): Generator<Buffer | Unreadable, void> {
  let descriptor: number | undefined;
  try {
    descriptor = openSync(`${path}/maps`, 'r');
    const chunk = Buffer.alloc(MAPS_CHUNK_BYTES);
    for (let count = readSync(descriptor, chunk); count > 0; count = readSync(descriptor, chunk)) yield chunk.subarray(0, count);
  } catch (error) {
    if (!isGone(error)) yield UNREADABLE;
  } finally {
    if (descriptor !== undefined) closeSync(descriptor);
  }
}

function readWmemDefault(): number {
  const text = readWhole('/proc/sys/net/core/wmem_default');
  return typeof text === 'string' ? Number(text) : 212_992;
}
