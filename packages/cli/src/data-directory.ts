import { join } from 'node:path';
import { optionTable, type Environment } from '@python3-cluster/shared';

const DEFAULT_DIRECTORY = join(__dirname, '..', '..', '..', '.data');

/** What belongs to this clone and must outlive a process: secrets, Redis' files, logs, unpacked programs. Not in git. */
export const dataDirectoryOf = (environment: Environment): string => environment[optionTable.dataDirectory.name] || DEFAULT_DIRECTORY;
