import { hasPackageLists, installPackages, systemApt, updatePackageLists } from './apt';
import { findOnPath } from './find-on-path';

export interface InstalledPackages {
  readonly available: readonly string[];
  /** Package → why it could not be installed. */
  readonly missing: Readonly<Record<string, string>>;
}

/**
 * Optional tools of the tests (a browser, Jython, Prometheus), for CI and `--provision` only: root on Debian or Ubuntu.
 * Never rejects; whoever needs a missing one skips, and says so.
 */
export async function installDebianPackages(names: readonly string[], report: (line: string) => void): Promise<InstalledPackages> {
  const cannot =
    findOnPath('apt-get') === undefined ? 'this machine has no apt' : process.getuid?.() === 0 ? undefined : 'installing needs root';
  if (cannot !== undefined) return { available: [], missing: Object.fromEntries(names.map((name) => [name, cannot])) };
  const apt = systemApt();
  const available: string[] = [];
  const missing: Record<string, string> = {};
  let updated = false;
  const update = async (): Promise<void> => {
    if (updated) return;
    updated = true;
    report('Fetching the package lists (apt-get update) …');
    await updatePackageLists(apt).catch((error: unknown) => report(String(error)));
  };
  if (!hasPackageLists(apt)) await update();
  // one by one: a name this release does not have must not cost the others
  for (const name of names) {
    report(`Installing ${name} with apt …`);
    try {
      await installPackages(apt, [name]).catch(() => update().then(() => installPackages(apt, [name])));
      available.push(name);
    } catch (error) {
      missing[name] = (error as Error).message;
    }
  }
  return { available, missing };
}
