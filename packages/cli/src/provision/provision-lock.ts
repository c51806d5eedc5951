import { mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { readProcessStat } from './process-start-time';

const POLL_MS = 200;

/**
 * One installation at a time in a data directory, also between processes. The lock is a directory that is moved into its
 * place with its owner (pid and start time, for pids are used again) already inside: nobody ever sees it without one.
 */
export async function withProvisionLock<T>(dataDirectory: string, report: (line: string) => void, action: () => Promise<T>): Promise<T> {
  mkdirSync(dataDirectory, { recursive: true });
  const lock = join(dataDirectory, 'provision.lock');
  const mine = mkdtempSync(`${lock}.`);
  writeFileSync(join(mine, 'owner'), identify(process.pid));
  try {
    for (let waits = 0; !tryMove(mine, lock); waits += 1) {
      const owner = readOwner(lock);
      if (owner !== undefined && !isAlive(owner)) {
        dropStale(lock, owner);
        continue;
      }
      if (waits === 0 && owner !== identify(process.pid))
        report(`Waiting for process ${owner?.split(' ')[0] ?? '?'}, which is installing into ${dataDirectory} …`);
      await sleep(POLL_MS);
    }
  } catch (error) {
    rmSync(mine, { recursive: true, force: true });
    throw error;
  }
  const release = (): void => rmSync(lock, { recursive: true, force: true });
  process.once('exit', release);
  try {
    return await action();
  } finally {
    process.off('exit', release);
    release();
  }
}

function tryMove(from: string, to: string): boolean {
  try {
    renameSync(from, to);
    return true;
  } catch (error) {
    if (['ENOTEMPTY', 'EEXIST'].includes((error as NodeJS.ErrnoException).code ?? '')) return false;
    throw error;
  }
}

function readOwner(lock: string): string | undefined {
  try {
    return readFileSync(join(lock, 'owner'), 'utf8');
  } catch {
    return undefined;
  }
}

const identify = (pid: number): string => `${pid} ${readProcessStat(pid)?.startTime ?? ''}`;

function isAlive(owner: string): boolean {
  const pid = Number.parseInt(owner, 10);
  if (identify(pid) !== owner) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

/** Moves a dead owner's lock away, and puts it back if another process took the place between the look and the move. */
function dropStale(lock: string, deadOwner: string): void {
  const aside = `${lock}.stale-${process.pid}`;
  try {
    renameSync(lock, aside);
  } catch {
    return; // somebody else was quicker
  }
  if (readOwner(aside) !== deadOwner && tryMove(aside, lock)) return;
  rmSync(aside, { recursive: true, force: true });
}
