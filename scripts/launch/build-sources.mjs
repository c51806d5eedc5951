import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { withProgress } from './progress.mjs';
import { dataDirectory, root } from './root.mjs';
import { runStep } from './run-step.mjs';

const stamp = join(dataDirectory, 'build.stamp');
const packages = join(root, 'packages');
const commandLine = join(packages, 'cli', 'dist', 'main.js');

const typeScript = join(root, 'node_modules', 'typescript', 'bin', 'tsc');

/**
 * Whether what is built was built from the sources as they are, by their paths, sizes and times. What tests and checks
 * read (`all`) is types as well, which the quick build leaves out.
 */
export function isBuilt(scope) {
  if (!existsSync(commandLine) || !existsSync(stamp)) return false;
  const [sources, made] = readFileSync(stamp, 'utf8').split(' ');
  return sources === hashSources() && (scope !== 'all' || made !== 'quick');
}

/** By TypeScript, which says what is wrong, where it is installed; else type by type left out, by swc, in a second. */
export async function buildSources() {
  const isQuick = !existsSync(typeScript);
  // taken before: an edit during the build makes the next start build again
  const sources = hashSources();
  // tsc trusts its own notes, which say "up to date" even if the output was deleted
  const force = existsSync(stamp) && existsSync(commandLine) ? [] : ['--force'];
  const command = isQuick ? [join(root, 'scripts', 'launch', 'quick-build.mjs')] : [typeScript, '-b', ...force];
  rmSync(stamp, { force: true });
  await withProgress({ name: 'build', words: 'Building' }, () => runStep('The build', process.execPath, command));
  mkdirSync(dataDirectory, { recursive: true });
  writeFileSync(stamp, `${sources} ${isQuick ? 'quick' : 'whole'}`);
}

function hashSources() {
  const hash = createHash('sha256');
  for (const file of listSources()) {
    const { size, mtimeMs } = statSync(file);
    hash.update(`${relative(root, file)}\0${size}\0${mtimeMs}\n`);
  }
  return hash.digest('hex');
}

function listSources() {
  const inPackages = listDirectory(packages).flatMap((name) => {
    const directory = join(packages, name);
    const settings = ['package.json', ...listDirectory(directory).filter(isCompilerSettings)].map((file) => join(directory, file));
    return [...settings, ...listFiles(join(directory, 'src'))];
  });
  const inRoot = ['package-lock.json', ...listDirectory(root).filter(isCompilerSettings)].map((file) => join(root, file));
  return [...inRoot, ...inPackages].filter((file) => existsSync(file));
}

const isCompilerSettings = (name) => /^tsconfig.*\.json$/.test(name);

function listDirectory(directory) {
  return existsSync(directory) ? readdirSync(directory).sort() : [];
}

function listFiles(directory) {
  if (!existsSync(directory)) return [];
  return readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath ?? entry.path, entry.name))
    .sort();
}
