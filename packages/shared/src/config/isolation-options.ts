import { listOf, matching, oneOf, option, uidRange } from './option';

/** Not the root, whose listing would be everything. */
const ABSOLUTE_PATH = /^\/[^,]*[^,/]$/;

/** Settings of what contains code. A part of the option table. */
export const isolationOptions = {
  isolation: option({
    name: 'PYTHON3_ISOLATION', parse: oneOf('A', 'B', 'C', 'D'), default: 'B', defaultText: '`B`; `start` on a loopback address: `C`', accepts: '`A`, `B`, `C` or `D`',
    description: 'Least isolation level a worker node accepts; one whose host gives less does not start. At `D` nothing contains code: ADMIN jobs only, and never with `NODE_ENV=production`.',
  }),
  slotUids: option({
    name: 'PYTHON3_SLOT_UIDS', parse: uidRange, default: { first: 61_000, last: 61_999 }, defaultText: '61000-61999', accepts: 'two numbers from 1000 on, such as `61000-61999`',
    description: 'Users (and groups of the same number) that jobs run as where the worker node may set them. It takes a row of them that no other worker node of this host has: for each mode one, and two for each slot and a few more. They must not be anybody’s.',
  }),
  adminReadPaths: option({
    name: 'PYTHON3_ADMIN_READ_PATHS', parse: listOf(ABSOLUTE_PATH, 'absolute paths'), default: [] as readonly string[], defaultText: 'none', accepts: 'comma-separated absolute paths',
    description: 'Files and folders that ADMIN code may read, besides the system’s programs and libraries, as far as its user may.',
  }),
  adminWritePaths: option({
    name: 'PYTHON3_ADMIN_WRITE_PATHS', parse: listOf(ABSOLUTE_PATH, 'absolute paths'), default: [] as readonly string[], defaultText: 'none', accepts: 'comma-separated absolute paths',
    description: 'Files and folders that ADMIN code may read and change, besides its scratch folder, as far as its user may.',
  }),
  nodeEnvironment: option({
    name: 'NODE_ENV', parse: matching(/^\S*$/, 'one word'), default: '', defaultText: 'none', accepts: '`production`, or anything else',
    description: '`production` refuses isolation level D whatever `PYTHON3_ISOLATION` says.',
  }),
} as const; // prettier-ignore
