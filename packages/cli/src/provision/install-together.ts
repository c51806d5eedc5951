import { bubblewrapRecipe } from './find-or-install-bubblewrap';
import { findBubblewrap } from './find-bubblewrap';
import { pythonRecipe } from './find-or-install-python';
import { findPython } from './find-python';
import { redisRecipe } from './find-or-install-redis';
import { findRedis } from './find-redis';
import { findPackageManager, installWithApt, type PackageRecipe } from './package-managers';
import { withProvisionLock } from './provision-lock';
import { readProvisionRecord } from './provision-record';

export interface InstallTogetherOptions {
  readonly dataDirectory: string;
  readonly report: (line: string) => void;
  readonly needsRedis: boolean;
  readonly needsPython: boolean;
}

/**
 * Where root lacks more than one of Redis, Python and bubblewrap on Debian or Ubuntu, one call of apt installs all: half of
 * each call is reading lists and running triggers. Never rejects: what is missing afterwards is looked for, and told, one by one.
 */
export async function installTogether(options: InstallTogetherOptions): Promise<void> {
  const { dataDirectory, report } = options;
  const manager = findPackageManager();
  if (manager?.name !== 'apt' || !manager.mayInstall) return;
  const missing = await listMissing(options);
  if (missing.length < 2) return;
  report(`Not found on this machine: ${missing.map(([name]) => name).join(', ')}.`);
  const recipes = missing.map(([, recipe]) => recipe);
  await withProvisionLock(dataDirectory, report, () => installWithApt(recipes, report)).catch(() => undefined);
}

async function listMissing(options: InstallTogetherOptions): Promise<readonly (readonly [string, PackageRecipe])[]> {
  const { dataDirectory, needsRedis, needsPython } = options;
  const silent = (): void => undefined;
  const [redis, python, bubblewrap] = await Promise.all([
    needsRedis ? findRedis(dataDirectory, silent) : true,
    needsPython ? findPython(dataDirectory, silent) : { open: true },
    // Asked for in vain a short while ago, it is not asked for again.
    readProvisionRecord(dataDirectory).bubblewrapMissing === undefined ? findBubblewrap(dataDirectory) : '',
  ]);
  return [
    ...(redis === undefined ? [['Redis', redisRecipe] as const] : []),
    ...(python.open === undefined ? [['Python 3.11 or newer', pythonRecipe] as const] : []),
    ...(typeof bubblewrap === 'string' ? [] : [['bubblewrap', bubblewrapRecipe] as const]),
  ];
}
