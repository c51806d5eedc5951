import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { readProvisionRecord, updateProvisionRecord } from './provision-record';
import { discardAptState } from './unpack-debian-packages';

let findsUnderWay = 0;

/**
 * apt's lists are tens of megabytes: too slow to fetch for each of our two packages, too large to leave behind. A start
 * looks for Redis and then for Python, or for both at once; the last one takes them away.
 */
export async function withPackageLists<T>(dataDirectory: string, name: 'redis' | 'python', find: () => Promise<T>): Promise<T> {
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
