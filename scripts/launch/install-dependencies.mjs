import { createHash } from 'node:crypto';
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { report, root } from './root.mjs';
import { runStep } from './run-step.mjs';

const modules = join(root, 'node_modules');
/** Written when `npm ci` has succeeded, and gone with node_modules: an interrupted installation has none. */
const stamp = join(modules, '.python3-cluster-install');

/** Whether node_modules is what package-lock.json asks for, on this Node and machine. */
export function isInstalled() {
  if (!existsSync(join(modules, '.package-lock.json'))) return false;
  return readIfThere(stamp) === expectedStamp();
}

export async function installDependencies() {
  if (isInstalledByHand()) return writeFileSync(stamp, expectedStamp());
  report('Installing dependencies (npm ci) …');
  rmSync(stamp, { force: true });
  // Development dependencies hold the compiler; NODE_ENV=production would leave them out.
  await runStep('npm ci', ...npmCommand(['ci', '--include=dev', '--no-audit', '--no-fund']));
  writeFileSync(stamp, expectedStamp());
}

/** `npm ci` or `npm install` by the user leaves no stamp, but a list of what is there; it is believed if nothing is missing. */
function isInstalledByHand() {
  if (existsSync(stamp)) return false;
  try {
    const wanted = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')).packages;
    const present = JSON.parse(readFileSync(join(modules, '.package-lock.json'), 'utf8')).packages;
    return Object.entries(wanted)
      .filter(([path, entry]) => path.startsWith('node_modules/') && !entry.optional && !entry.devOptional)
      .every(
        ([path, { version, resolved }]) =>
          present[path]?.version === version && present[path]?.resolved === resolved && existsSync(join(root, path)),
      );
  } catch {
    return false;
  }
}

function expectedStamp() {
  const lock = createHash('sha256')
    .update(readFileSync(join(root, 'package-lock.json')))
    .digest('hex');
  return `${lock} node-${process.versions.node.split('.')[0]} ${process.platform}-${process.arch}\n`;
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
