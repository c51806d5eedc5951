import { mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

const POLL_MS = 200;

/**
 * One installation at a time in a data directory, also between processes. The lock is a directory that is moved into its
 * place with its owner's pid already inside, so that nobody ever sees it without one.
 */
export async function withProvisionLock<T>(dataDirectory: string, report: (line: string) => void, action: () => Promise<T>): Promise<T> {
  mkdirSync(dataDirectory, { recursive: true });
  const lock = join(dataDirectory, 'provision.lock');
  const mine = mkdtempSync(`${lock}.`);
  writeFileSync(join(mine, 'pid'), String(process.pid));
  try {
    for (let waits = 0; !tryMove(mine, lock); waits += 1) {
      const owner = readOwner(lock);
      if (owner !== undefined && !isAlive(owner)) {
        dropStale(lock, owner);
        continue;
      }
      if (waits === 0 && owner !== process.pid) report(`Waiting for process ${owner ?? '?'}, which is installing into ${dataDirectory} …`);
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
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOTEMPTY' || code === 'EEXIST') return false;
    throw error;
  }
}

function readOwner(lock: string): number | undefined {
  try {
    return Number.parseInt(readFileSync(join(lock, 'pid'), 'utf8'), 10) || undefined;
  } catch {
    return undefined;
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

/** Moves a dead owner's lock away, and puts it back if another process took the place between the look and the move. */
function dropStale(lock: string, deadOwner: number): void {
  const aside = `${lock}.stale-${process.pid}`;
  if (!existsAfterMove(lock, aside)) return;
  if (readOwner(aside) !== deadOwner && tryMove(aside, lock)) return;
  rmSync(aside, { recursive: true, force: true });
}

function existsAfterMove(from: string, to: string): boolean {
  try {
    renameSync(from, to);
    return true;
  } catch {
    return false;
  }
}
