import { existsSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';

export type UnpackedName = 'redis' | 'python' | 'bubblewrap';

/**
 * What stands in `<data>/packages/<name>/manifest.json`. It is written last and moved into place with everything else,
 * so a readable manifest means a whole package. Paths are relative: a clone may be moved.
 */
export interface UnpackedManifest {
  readonly format: 1;
  readonly architecture: string;
  /** Package name → version. */
  readonly packages: Readonly<Record<string, string>>;
  /** The program, relative to `root`, and its size. */
  readonly file: string;
  readonly fileBytes: number;
  readonly argv0?: string;
  /** For LD_LIBRARY_PATH, relative to `root`. */
  readonly libraryDirectories: readonly string[];
}

export interface UnpackedPackage {
  readonly root: string;
  readonly file: string;
  readonly env: Record<string, string>;
  readonly argv0?: string;
}

export const unpackedDirectory = (dataDirectory: string, name: UnpackedName): string => join(dataDirectory, 'packages', name);

/** What an earlier start unpacked, if it is whole and made for this machine; judged from the disk alone. */
export function findUnpackedPackage(dataDirectory: string, name: UnpackedName): UnpackedPackage | undefined {
  return loadUnpackedPackage(unpackedDirectory(dataDirectory, name));
}

export function loadUnpackedPackage(directory: string): UnpackedPackage | undefined {
  const manifest = readManifest(directory);
  if (manifest === undefined || manifest.architecture !== process.arch) return undefined;
  const root = join(directory, 'root');
  const file = join(root, manifest.file);
  const libraryDirectories = manifest.libraryDirectories.map((path) => join(root, path));
  if (!libraryDirectories.every((path) => existsSync(path)) || sizeOf(file) !== manifest.fileBytes) return undefined;
  return {
    root,
    file,
    env: libraryDirectories.length === 0 ? {} : { LD_LIBRARY_PATH: libraryDirectories.join(':') },
    ...(manifest.argv0 === undefined ? {} : { argv0: manifest.argv0 }),
  };
}

function readManifest(directory: string): UnpackedManifest | undefined {
  try {
    const manifest = JSON.parse(readFileSync(join(directory, 'manifest.json'), 'utf8')) as UnpackedManifest;
    return manifest.format === 1 && Array.isArray(manifest.libraryDirectories) ? manifest : undefined;
  } catch {
    return undefined;
  }
}

function sizeOf(file: string): number | undefined {
  try {
    return statSync(file).size;
  } catch {
    return undefined;
  }
}
