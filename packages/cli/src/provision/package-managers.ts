import { findOnPath, isExecutableFile } from './find-on-path';
import { choosePackage, hasPackageLists, installPackages, systemApt, updatePackageLists, type PackageChoice } from './apt';
import { runCommand } from './run-command';
import { NoSuitablePackageError } from './unpack-debian-packages';

export type PackageManagerName = 'apt' | 'dnf' | 'apk' | 'brew';

export interface PackageManager {
  readonly name: PackageManagerName;
  readonly file: string;
  /** Whether this user may install for the whole machine; Homebrew wants anybody but root. */
  readonly mayInstall: boolean;
}

/** What to ask each manager for. The lists of dnf, apk and brew are tried one after another until one installs. */
export interface PackageRecipe {
  readonly apt: readonly PackageChoice[];
  /** Installed along with the choice. */
  readonly aptExtras: readonly string[];
  readonly dnf: readonly (readonly string[])[];
  readonly apk: readonly (readonly string[])[];
  readonly brew: readonly (readonly string[])[];
}

const INSTALL_TIMEOUT_MS = 900_000;

export function findPackageManager(isRoot: boolean = process.getuid?.() === 0): PackageManager | undefined {
  for (const [name, program] of [
    ['apt', 'apt-get'],
    ['dnf', 'dnf'],
    ['apk', 'apk'],
  ] as const) {
    const file = findOnPath(program);
    if (file !== undefined) return { name, file, mayInstall: isRoot };
  }
  const brew = findOnPath('brew') ?? ['/opt/homebrew/bin/brew', '/usr/local/bin/brew'].find(isExecutableFile);
  return brew === undefined ? undefined : { name: 'brew', file: brew, mayInstall: !isRoot };
}

/** Installs for the whole machine. None of the packages named in our recipes starts or enables a service. */
export async function installWith(
  manager: PackageManager,
  recipe: PackageRecipe,
  report: (line: string) => void,
  signal?: AbortSignal,
): Promise<void> {
  if (manager.name === 'apt') return installWithApt([recipe], report, signal);
  const argsOf = { dnf: ['install', '-y', '--setopt=install_weak_deps=False'], apk: ['add', '--no-cache'], brew: ['install', '--quiet'] }[
    manager.name
  ];
  let failure: unknown = new Error(`no package of ${manager.name} is known for this`);
  for (const names of recipe[manager.name]) {
    try {
      report(`Installing ${names.join(', ')} with ${manager.name} …`);
      await runCommand(manager.file, [...argsOf, ...names], { timeoutMs: INSTALL_TIMEOUT_MS, signal });
      return;
    } catch (error) {
      failure = error;
    }
  }
  throw failure;
}

/**
 * What several recipes ask for is installed in one go, less what the distribution does not have. Lists that are absent, or
 * too old for the mirror to still have what they name, are fetched once.
 */
export async function installWithApt(
  recipes: readonly PackageRecipe[],
  report: (line: string) => void,
  signal?: AbortSignal,
): Promise<void> {
  const apt = systemApt();
  const update = (): Promise<void> => {
    report('Fetching the package lists (apt-get update) …');
    return updatePackageLists(apt, signal);
  };
  const attempt = async (): Promise<void> => {
    const names: string[] = [];
    for (const recipe of recipes) {
      const { name, offered } = await choosePackage(apt, recipe.apt, signal);
      if (name !== undefined) names.push(name, ...recipe.aptExtras);
      else if (recipes.length === 1) throw new NoSuitablePackageError(recipe.apt, offered);
    }
    report(`Installing ${names.join(', ')} with apt …`);
    await installPackages(apt, names, { signal, report });
  };
  if (!hasPackageLists(apt)) {
    await update();
    return attempt();
  }
  try {
    await attempt();
  } catch {
    await update();
    await attempt();
  }
}
