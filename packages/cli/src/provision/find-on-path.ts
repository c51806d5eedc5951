import { accessSync, constants, realpathSync, statSync } from 'node:fs';
import { delimiter, isAbsolute, join } from 'node:path';

/** Every executable file of that name on PATH, in its order; the same file is named once (`/bin` is often `/usr/bin`). */
export function findAllOnPath(name: string): string[] {
  const byRealPath = new Map<string, string>();
  for (const directory of (process.env['PATH'] ?? '').split(delimiter)) {
    const file = join(directory, name);
    if (!isAbsolute(directory) || !isExecutableFile(file)) continue;
    const realPath = realpathSync(file);
    if (!byRealPath.has(realPath)) byRealPath.set(realPath, file);
  }
  return [...byRealPath.values()];
}

export const findOnPath = (name: string): string | undefined => findAllOnPath(name)[0];

export function isExecutableFile(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return statSync(file).isFile();
  } catch {
    return false;
  }
}
