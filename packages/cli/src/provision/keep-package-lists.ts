import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { readProvisionRecord, updateProvisionRecord } from './provision-record';
import { discardAptState } from './unpack-debian-packages';
import type { UnpackedName } from './unpacked-package';

let findsUnderWay = 0;

/**
 * apt's lists are tens of megabytes: too slow to fetch for each of our packages, too large to leave behind. A start
 * looks for Redis, Python and bubblewrap, one after the other or at once; the last one takes them away.
 */
export async function withPackageLists<T>(dataDirectory: string, name: UnpackedName, find: () => Promise<T>): Promise<T> {
  findsUnderWay += 1;
  try {
    const found = await find();
    if (name === 'python') updateProvisionRecord(dataDirectory, (record) => ({ ...record, pythonFound: true }));
    return found;
  } finally {
    findsUnderWay -= 1;
    const wanted = findsUnderWay > 0 || (name === 'redis' && !readProvisionRecord(dataDirectory).pythonFound);
    if (!wanted && existsSync(join(dataDirectory, 'apt'))) discardAptState(dataDirectory);
  }
}
