// What the benchmark needs from the system: found, or installed the way `npm start` and `npm test` install theirs.
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { root } from './root.mjs';

/** The peers are Debian's packages, so they run on Debian's interpreter; one from pyenv on PATH does not have them. */
export const DEBIAN_PYTHON = '/usr/bin/python3';

/** Thrown by a contestant's `prepare()`: it cannot take part here, and this sentence says why. */
export class CannotTakePart extends Error {}

export async function findRedisServer(report) {
  const file = findOnPath('redis-server');
  if (file !== undefined) return { file };
  const { findOrInstallRedis } = await loadProvision('redis-server');
  return findOrInstallRedis({ dataDirectory: join(root, '.data'), report });
}

/** Version of a Python module that a Debian package brings; installs the package if that is possible. */
export async function requirePythonPackage(module, debianPackage, report) {
  const version = readPythonVersion(module);
  if (version !== undefined) return version;
  const { installDebianPackages } = await loadProvision(debianPackage);
  const { missing } = await installDebianPackages([debianPackage], report);
  const installed = readPythonVersion(module);
  if (installed === undefined)
    throw new CannotTakePart(
      `${debianPackage} is not there: ${missing[debianPackage] ?? `it has no module ${module} for ${DEBIAN_PYTHON}`}.`,
    );
  return installed;
}

/** `undefined` if it cannot be imported. */
export function readPythonVersion(module) {
  try {
    const program = `import ${module}; print(getattr(${module}, '__version__', '?'))`;
    return execFileSync(DEBIAN_PYTHON, ['-c', program], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim();
  } catch {
    return undefined;
  }
}

async function loadProvision(wanted) {
  const built = join(root, 'packages/cli/dist/provision/index.js');
  if (!existsSync(built))
    throw new CannotTakePart(`${wanted} is not there, and what would install it is not built yet: run \`npm run build\`.`);
  return (await import(built)).default;
}

function findOnPath(name) {
  const directories = (process.env.PATH ?? '').split(':').filter((directory) => directory.startsWith('/'));
  return directories.map((directory) => join(directory, name)).find((file) => existsSync(file));
}
