import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { findAllOnPath, isExecutableFile } from './find-on-path';

const VERSIONED_NAMES = ['python3.14', 'python3.13', 'python3.12', 'python3.11'];
const SYSTEM_DIRECTORIES = ['/usr/bin', '/usr/local/bin'];

/**
 * Interpreters of this machine in the order they are tried: the distribution's before others, whatever their version,
 * because its packages (numpy, psycopg …) belong to it; what is only on this user's PATH comes last.
 */
export function listPythonCandidates(): string[] {
  const candidates = [
    ...SYSTEM_DIRECTORIES.map((directory) => join(directory, 'python3')),
    ...[...SYSTEM_DIRECTORIES, ...listOptDirectories()].flatMap((directory) => VERSIONED_NAMES.map((name) => join(directory, name))),
    '/opt/homebrew/bin/python3',
  ].filter(isExecutableFile);
  return [...new Set([...candidates, ...['python3', ...VERSIONED_NAMES].flatMap(findAllOnPath)])];
}

function listOptDirectories(): string[] {
  try {
    return readdirSync('/opt')
      .sort()
      .map((name) => join('/opt', name, 'bin'));
  } catch {
    return [];
  }
}
