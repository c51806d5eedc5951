import { existsSync, realpathSync } from 'node:fs';
import { join } from 'node:path';
import { ClusterError } from '@python3-cluster/shared';

/**
 * Neither may what code is shown hold a file of ours, nor the other way round. What does not exist holds no secret.
 * @throws ClusterError CONFIG_INVALID
 */
export function assertOutside(ours: readonly string[], shown: readonly string[]): void {
  for (const path of ours.filter(existsSync).map((own) => realpathSync(own))) {
    const hit = shown.filter(existsSync).find((other) => overlap(realpathSync(other), path));
    if (hit !== undefined) {
      throw new ClusterError(
        'CONFIG_INVALID',
        `ADMIN code would be shown ${hit}, and ${path}, which belongs to the cluster, is not to be seen. Move one of them.`,
      );
    }
  }
}

/**
 * What code may be shown of a data directory: an interpreter that the start unpacked there for a user who may install none.
 * Nothing else is in that folder.
 */
export const isUnpackedPackage = (path: string, dataDirectories: readonly string[]): boolean =>
  dataDirectories.map((directory) => join(directory, 'packages')).some((folder) => isWithin(toReal(path), toReal(folder)));

const toReal = (path: string): string => (existsSync(path) ? realpathSync(path) : path);
const overlap = (one: string, other: string): boolean => isWithin(one, other) || isWithin(other, one);
const isWithin = (path: string, folder: string): boolean => path === folder || path.startsWith(folder === '/' ? '/' : `${folder}/`);
