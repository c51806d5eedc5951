import { existsSync, realpathSync } from 'node:fs';
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

const overlap = (one: string, other: string): boolean => isWithin(one, other) || isWithin(other, one);
const isWithin = (path: string, folder: string): boolean => path === folder || path.startsWith(folder === '/' ? '/' : `${folder}/`);
