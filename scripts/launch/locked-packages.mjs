import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { root } from './root.mjs';

const modules = join(root, 'node_modules');
const read = (file) => JSON.parse(readFileSync(file, 'utf8')).packages;

/** What package-lock.json asks for on this machine, by path; with `scope` `runtime` less what only tests and checks need. */
export function listLocked(scope) {
  return Object.entries(read(join(root, 'package-lock.json'))).filter(
    ([path, entry]) =>
      path.startsWith('node_modules/') && !entry.link && isForThisMachine(entry) && (scope === 'all' || !(entry.dev || entry.devOptional)),
  );
}

/** Whether an installation by hand has everything; optional packages may be left out. */
export function hasAll(scope) {
  try {
    const present = read(join(modules, '.package-lock.json'));
    return listLocked(scope)
      .filter(([, entry]) => !entry.optional && !entry.devOptional)
      .every(
        ([path, { version, resolved }]) =>
          present[path]?.version === version && present[path]?.resolved === resolved && existsSync(join(root, path)),
      );
  } catch {
    return false;
  }
}

/** How many of them are unpacked so far. */
export const countUnpacked = (locked) => locked.filter(([path]) => existsSync(join(root, path, 'package.json'))).length;

const isForThisMachine = ({ os, cpu, libc }) =>
  allows(os, process.platform) && allows(cpu, process.arch) && (libc === undefined || allows(libc, ourLibc()));

const allows = (list, name) =>
  list === undefined || list.includes(name) || (list.every((one) => one[0] === '!') && !list.includes(`!${name}`));

function ourLibc() {
  return process.report.getReport().header.glibcVersionRuntime === undefined ? 'musl' : 'glibc';
}
