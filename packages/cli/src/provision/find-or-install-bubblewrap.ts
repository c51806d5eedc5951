import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { BUBBLEWRAP_MIN_VERSION, checkBubblewrap, findBubblewrap } from './find-bubblewrap';
import { withPackageLists } from './keep-package-lists';
import { findPackageManager, installWith, type PackageRecipe } from './package-managers';
import { withProvisionLock } from './provision-lock';
import { readProvisionRecord, updateProvisionRecord } from './provision-record';
import { unpackDebianPackages } from './unpack-debian-packages';

export interface FindOrInstallBubblewrapOptions {
  /** Where to unpack, if that is what it takes: `.data` of the clone. */
  readonly dataDirectory: string;
  /** Hears one line before anything slow. */
  readonly report: (line: string) => void;
  /** Ends an installation under way. */
  readonly signal?: AbortSignal;
}

/** Where user namespaces are open to everybody it needs no setuid bit, so an unpacked one does as well. */
export const bubblewrapRecipe: PackageRecipe = {
  apt: [{ name: 'bubblewrap', minVersion: BUBBLEWRAP_MIN_VERSION }],
  aptExtras: [],
  dnf: [['bubblewrap']],
  apk: [['bubblewrap']],
  brew: [],
};

/** A start that asks in vain costs seconds, and a machine without network has no answer tomorrow either. */
const ASK_AGAIN_MS = 24 * 60 * 60 * 1_000;

/** bwrap(1) from this machine, an earlier start, or newly installed. Without it the level is lower, and that is all. */
export async function findOrInstallBubblewrap(options: FindOrInstallBubblewrapOptions): Promise<string | { readonly missing: string }> {
  const { dataDirectory, report } = options;
  const found = await findBubblewrap(dataDirectory);
  if (typeof found === 'string' || process.platform !== 'linux') return found;
  const before = readProvisionRecord(dataDirectory).bubblewrapMissing;
  if (before !== undefined && Math.abs(Date.now() - before.at) < ASK_AGAIN_MS) return { missing: before.reason };
  try {
    return await withPackageLists(dataDirectory, 'bubblewrap', () =>
      withProvisionLock(dataDirectory, report, () => findAgainOrInstall(options)),
    );
  } catch (error) {
    const missing = `bubblewrap (bwrap) is not installed and could not be (${(error as Error).message})`;
    report(missing);
    if (options.signal?.aborted !== true) {
      updateProvisionRecord(dataDirectory, (record) => ({ ...record, bubblewrapMissing: { at: Date.now(), reason: missing } }));
    }
    return { missing };
  }
}

/** Another process may have installed it while this one waited for the lock. */
async function findAgainOrInstall(options: FindOrInstallBubblewrapOptions): Promise<string | { readonly missing: string }> {
  const { dataDirectory, report, signal } = options;
  const found = await findBubblewrap(dataDirectory);
  const manager = findPackageManager();
  if (typeof found === 'string' || manager === undefined) return found;
  if (manager.mayInstall) {
    report(`No bubblewrap found; installing it with ${manager.name}.`);
    await installWith(manager, bubblewrapRecipe, report, signal);
    return findBubblewrap(dataDirectory);
  }
  if (manager.name !== 'apt') return found;
  report('No bubblewrap found; unpacking it from the system’s packages.');
  const { file } = await unpackDebianPackages({
    dataDirectory,
    name: 'bubblewrap',
    choices: bubblewrapRecipe.apt,
    report,
    signal,
    locate: (root) => (existsSync(join(root, 'usr/bin/bwrap')) ? { file: 'usr/bin/bwrap' } : undefined),
    verify: (candidate) => checkBubblewrap(candidate.file),
  });
  return file;
}
