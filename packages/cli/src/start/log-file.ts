import { closeSync, copyFileSync, existsSync, fstatSync, openSync, readSync, renameSync, rmSync, statSync, truncateSync } from 'node:fs';

/** A log file that has grown beyond this is put aside; so many such are kept beside it, `<path>.1` the newest. */
export const MOST_LOG_BYTES = 16 * 1_048_576;
export const KEPT_LOGS = 4;

/** For a process to append to: what it said before its last start, or its crash, stays. Without a log it runs all the same. */
export function openLog(path: string): number | undefined {
  cutLog(path);
  try {
    return openSync(path, 'a', 0o600);
  } catch {
    return undefined;
  }
}

/**
 * Copies a log that is too long to `<path>.1`, what stood there to `<path>.2`, and so on, and empties it. The process goes on writing into the same file, at its new end,
 * as it appends; nobody has to be told. A few lines between the two steps may be lost. Whatever fails here, the log goes on.
 */
export function cutLog(path: string, mostBytes = MOST_LOG_BYTES): void {
  try {
    if (statSync(path).size <= mostBytes) return;
    try {
      // Whole before it counts: a copy that finds no room must not cost an older log.
      copyFileSync(path, `${path}.new`);
      shiftKept(path);
      renameSync(`${path}.new`, `${path}.1`);
    } catch {
      rmSync(`${path}.new`, { force: true });
      // No room for the copy: all the more reason to empty it.
    }
    truncateSync(path);
  } catch {
    // Not there yet.
  }
}

function shiftKept(path: string): void {
  for (let number = KEPT_LOGS - 1; number >= 1; number -= 1) {
    if (existsSync(`${path}.${number}`)) renameSync(`${path}.${number}`, `${path}.${number + 1}`);
  }
}

const TAIL_BYTES = 16_384;

/** The last lines of a log, however long it is. */
export function readLastLines(path: string, lines: number): string {
  try {
    const file = openSync(path, 'r');
    try {
      const from = Math.max(0, fstatSync(file).size - TAIL_BYTES);
      const tail = Buffer.alloc(TAIL_BYTES);
      const read = readSync(file, tail, 0, TAIL_BYTES, from);
      return tail.toString('utf8', 0, read).trimEnd().split('\n').slice(-lines).join('\n');
    } finally {
      closeSync(file);
    }
  } catch {
    return '';
  }
}
