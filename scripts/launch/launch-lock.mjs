import { mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { dataDirectory, LaunchError, report } from './root.mjs';

const POLL_MS = 200;
const lock = join(dataDirectory, 'launch.lock');

/**
 * One installation or build at a time in a clone. The lock is a directory that is moved into its place with its owner
 * (pid and start time, for pids are used again) already inside, so nobody ever sees it without one.
 */
export async function withLaunchLock(action) {
  const mine = prepare();
  const release = () => rmSync(lock, { recursive: true, force: true });
  try {
    await acquire(mine);
  } catch (error) {
    rmSync(mine, { recursive: true, force: true });
    throw error;
  }
  process.once('exit', release);
  try {
    await action();
  } finally {
    process.off('exit', release);
    release();
  }
}

/** A step outlives a launcher that is killed outright; the lock is held for as long as either lives. */
export function holdLockFor(childPid) {
  writeFileSync(join(lock, 'step'), identify(childPid));
}

function prepare() {
  try {
    mkdirSync(dataDirectory, { recursive: true });
    const directory = mkdtempSync(`${lock}.`);
    writeFileSync(join(directory, 'owner'), identify(process.pid));
    return directory;
  } catch (error) {
    throw new LaunchError(`This clone has to be installed or built, which needs write access to it: ${error.message}`);
  }
}

async function acquire(mine) {
  for (let waits = 0; !tryMove(mine, lock); waits += 1) {
    const owner = read(lock, 'owner');
    if (owner !== undefined && !isAlive(owner) && !isAlive(read(lock, 'step'))) {
      dropStale(owner);
      continue;
    }
    if (waits === 0) report(`Waiting for process ${owner?.split(' ')[0] ?? '?'}, which is installing or building this clone …`);
    await sleep(POLL_MS);
  }
}

function tryMove(from, to) {
  try {
    renameSync(from, to);
    return true;
  } catch (error) {
    if (error.code === 'ENOTEMPTY' || error.code === 'EEXIST') return false;
    throw error;
  }
}

/** Moves a dead owner's lock away, and puts it back if another process took the place between the look and the move. */
function dropStale(deadOwner) {
  const aside = `${lock}.stale-${process.pid}`;
  try {
    renameSync(lock, aside);
  } catch {
    return; // somebody else was quicker
  }
  if (read(aside, 'owner') !== deadOwner && tryMove(aside, lock)) return;
  rmSync(aside, { recursive: true, force: true });
}

function read(directory, file) {
  try {
    return readFileSync(join(directory, file), 'utf8');
  } catch {
    return undefined;
  }
}

function isAlive(identity) {
  if (identity === undefined) return false;
  const pid = Number.parseInt(identity, 10);
  if (identify(pid) !== identity) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error.code === 'EPERM';
  }
}

/** Pid, and the process's start in clock ticks after boot where there is a /proc (proc(5), field 22). */
function identify(pid) {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    return `${pid} ${stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19]}`;
  } catch {
    return `${pid} `;
  }
}
