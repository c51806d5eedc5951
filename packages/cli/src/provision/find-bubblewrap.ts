import { findAllOnPath } from './find-on-path';
import { isAtLeast } from './program-version';
import { runCommand } from './run-command';
import { findUnpackedPackage } from './unpacked-package';
import { isWorldExecutable } from './world-executable';

/** `--as-pid-1` and `--unshare-cgroup-try` are older than that; every distribution with Python 3.11 has a newer one. */
export const BUBBLEWRAP_MIN_VERSION = '0.4.0';

const VERSION_TIMEOUT_MS = 10_000;

/** bwrap(1) of this machine, or the one an earlier start unpacked; else one clause saying why there is none. */
export async function findBubblewrap(dataDirectory: string): Promise<string | { readonly missing: string }> {
  const unpacked = findUnpackedPackage(dataDirectory, 'bubblewrap');
  let missing = 'bubblewrap (bwrap) is not installed';
  for (const file of [...findAllOnPath('bwrap'), ...(unpacked === undefined ? [] : [unpacked.file])]) {
    try {
      await checkBubblewrap(file);
      return file;
    } catch (error) {
      missing = `${file}: ${(error as Error).message}`;
    }
  }
  return { missing };
}

/** Runs it, for its version; rejects one that does not run, is too old, or that users of slots cannot run. */
export async function checkBubblewrap(file: string): Promise<void> {
  const version = /(\d+\.\d+\.\d+)/.exec(await runCommand(file, ['--version'], { timeoutMs: VERSION_TIMEOUT_MS, env: {} }))?.[1];
  if (version === undefined) throw new Error('it does not answer as bubblewrap');
  if (!isAtLeast(version, BUBBLEWRAP_MIN_VERSION)) throw new Error(`it is version ${version}, and ${BUBBLEWRAP_MIN_VERSION} is needed`);
  if (process.getuid?.() === 0 && !isWorldExecutable(file)) throw new Error('only this user can run it');
}
