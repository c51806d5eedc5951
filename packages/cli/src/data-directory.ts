import { join } from 'node:path';

export const cloneDirectory = join(__dirname, '..', '..', '..');

/** What belongs to this clone and must outlive a process: secrets, Redis' files, logs, unpacked programs. Not in git. */
export const dataDirectory = join(cloneDirectory, '.data');
