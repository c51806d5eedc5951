import { createHash } from 'node:crypto';
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { countUnpacked, hasAll, listLocked } from './locked-packages.mjs';
import { withProgress } from './progress.mjs';
import { root } from './root.mjs';
import { runStep } from './run-step.mjs';

const modules = join(root, 'node_modules');
/** Written when npm has succeeded, and gone with node_modules: an interrupted installation has none. */
const stamp = join(modules, '.python3-cluster-install');

/**
 * Whether node_modules holds what package-lock.json asks for, on this Node and machine.
 * Scopes: `runtime`, what the cluster runs and is built with; `all`, the tools of tests and checks besides.
 */
export function isInstalled(scope) {
  if (!existsSync(join(modules, '.package-lock.json'))) return false;
  return [stampFor('all'), stampFor(scope)].includes(readIfThere(stamp));
}

export async function installDependencies(scope) {
  if (!existsSync(stamp)) {
    // By the user's own `npm ci` or `npm install`, which leave no stamp.
    const present = ['all', scope].find(hasAll);
    if (present !== undefined) return writeFileSync(stamp, stampFor(present));
  }
  const locked = listLocked(scope);
  const args = isInstalled('runtime') ? addTools : [...cleanInstall, scope === 'all' ? '--include=dev' : '--omit=dev'];
  rmSync(stamp, { force: true });
  await withProgress(
    {
      name: 'packages',
      words: `Installing ${locked.length} packages${scope === 'all' ? ' with the tools of the tests' : ''} (npm ${args[0]})`,
      howFar: () => `${countUnpacked(locked)} of ${locked.length} packages,`,
    },
    () => runStep(`npm ${args[0]}`, ...npmCommand([...args, ...everywhere])),
  );
  writeFileSync(stamp, stampFor(scope));
}

const cleanInstall = ['ci'];
/** Takes nothing away: a cluster may be running out of node_modules. */
const addTools = ['install', '--include=dev', '--no-save'];
/** No package of ours needs its install script, and our own `prepare` is what comes next here. */
const everywhere = ['--ignore-scripts', '--no-audit', '--no-fund'];

function stampFor(scope) {
  const lock = createHash('sha256')
    .update(readFileSync(join(root, 'package-lock.json')))
    .digest('hex');
  return `${lock} node-${process.versions.node.split('.')[0]} ${process.platform}-${process.arch} ${scope}\n`;
}

/** The npm that runs us, if one does; else the one on PATH. Another package manager's path is no npm. */
function npmCommand(args) {
  const runBy = process.env.npm_execpath;
  return runBy !== undefined && basename(runBy) === 'npm-cli.js' ? [process.execPath, [runBy, ...args]] : ['npm', args];
}

function readIfThere(file) {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return undefined;
  }
}
