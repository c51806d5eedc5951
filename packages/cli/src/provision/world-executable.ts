import { realpathSync, statSync } from 'node:fs';
import { dirname } from 'node:path';

const OTHERS_READ = 0o004;
const OTHERS_EXECUTE = 0o001;

/**
 * Whether any uid can run this program: every directory on the way is passable to others, by the name given and by the
 * real one, and the file is executable. An interpreter under root's home fails this, and slots with their own uid need it.
 */
export const isWorldExecutable = (file: string): boolean => isOpenToOthers(file, OTHERS_EXECUTE);

/** As above for something to be read, a directory of modules for example. */
export const isWorldReadable = (path: string): boolean => isOpenToOthers(path, OTHERS_READ);

function isOpenToOthers(path: string, permission: number): boolean {
  try {
    if ((statSync(path).mode & permission) === 0) return false;
    return [path, realpathSync(path)].every((name) => isPassable(dirname(name)));
  } catch {
    return false;
  }
}

function isPassable(directory: string): boolean {
  if ((statSync(directory).mode & OTHERS_EXECUTE) === 0) return false;
  const parent = dirname(directory);
  return parent === directory || isPassable(parent);
}
