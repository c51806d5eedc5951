import { join } from 'node:path';

/** Where each scratch folder of a mode is, in the order of their users. */
export const scratchPathsIn = (path: string, count: number): string[] =>
  Array.from({ length: count }, (_, index) => join(path, String(index), 'scratch'));
