import { closeSync, openSync, readFileSync, readSync, readdirSync, readlinkSync } from 'node:fs';

/*
 * Files of /proc. Whoever counts has to know why there was nothing to read: a process that is gone holds nothing, one that
 * may not be looked at can hold anything.
 */

/** Neither gone nor readable. */
export const UNREADABLE = Symbol('unreadable');
export type Unreadable = typeof UNREADABLE;

const line = Buffer.alloc(4_096);

/** Files of one short line, with three system calls instead of five. */
export const readLine = (path: string): string | undefined => readable(readBeginning(path));

/** The first 4 KiB. undefined where the process is gone. */
export function readBeginning(path: string): string | Unreadable | undefined {
  let descriptor: number | undefined;
  try {
    descriptor = openSync(path, 'r');
    return line.toString('latin1', 0, readSync(descriptor, line, 0, line.length, null));
  } catch (error) {
    return isGone(error) ? undefined : UNREADABLE;
  } finally {
    if (descriptor !== undefined) closeSync(descriptor);
  }
}

export const readWhole = (path: string): string | Unreadable | undefined => attempt(() => readFileSync(path, 'latin1'));
export const listFolder = (path: string): string[] | Unreadable | undefined => attempt(() => readdirSync(path));
export const readTarget = (path: string): string | Unreadable | undefined => attempt(() => readlinkSync(path, 'latin1'));

export const readable = <T>(found: T | Unreadable | undefined): T | undefined => (found === UNREADABLE ? undefined : found);

/** Of a process that /proc does not show: it may be hidden (`hidepid`), and alive. */
export function isAlive(pid: number): boolean {
  if (!(pid > 0)) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== 'ESRCH';
  }
}

function attempt<T>(read: () => T): T | Unreadable | undefined {
  try {
    return read();
  } catch (error) {
    return isGone(error) ? undefined : UNREADABLE;
  }
}

export function isGone(error: unknown): boolean {
  const { code } = error as NodeJS.ErrnoException;
  return code === 'ENOENT' || code === 'ESRCH';
}
