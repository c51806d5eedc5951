import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { findUnpackedPackage, type UnpackedManifest } from './unpacked-package';

describe('findUnpackedPackage', () => {
  let data: string;
  let directory: string;

  const manifest: UnpackedManifest = {
    format: 1,
    architecture: process.arch,
    packages: { 'redis-tools': '5:7.0.15-1' },
    file: 'usr/bin/redis-check-rdb',
    fileBytes: 6,
    argv0: 'redis-server',
    libraryDirectories: ['usr/lib/here'],
  };
  const writeManifest = (changes: Partial<UnpackedManifest> = {}): void =>
    writeFileSync(join(directory, 'manifest.json'), JSON.stringify({ ...manifest, ...changes }));

  beforeEach(() => {
    data = mkdtempSync(join(tmpdir(), 'unpacked-package-'));
    directory = join(data, 'packages', 'redis');
    mkdirSync(join(directory, 'root/usr/bin'), { recursive: true });
    mkdirSync(join(directory, 'root/usr/lib/here'), { recursive: true });
    writeFileSync(join(directory, 'root', manifest.file), 'server');
  });

  afterEach(() => rmSync(data, { recursive: true, force: true }));

  it('gives the program with its first argument and library path', () => {
    writeManifest();
    const root = join(directory, 'root');
    expect(findUnpackedPackage(data, 'redis')).toEqual({
      root,
      file: join(root, 'usr/bin/redis-check-rdb'),
      argv0: 'redis-server',
      env: { LD_LIBRARY_PATH: join(root, 'usr/lib/here') },
    });
  });

  it('ignores a package without a manifest, with a broken one or one of another format', () => {
    expect(findUnpackedPackage(data, 'redis')).toBeUndefined();
    writeFileSync(join(directory, 'manifest.json'), '{"format":1,');
    expect(findUnpackedPackage(data, 'redis')).toBeUndefined();
    writeManifest({ format: 2 as 1 });
    expect(findUnpackedPackage(data, 'redis')).toBeUndefined();
  });

  it('ignores a package for another architecture', () => {
    writeManifest({ architecture: 'other' });
    expect(findUnpackedPackage(data, 'redis')).toBeUndefined();
  });

  it('ignores a package whose program or libraries have changed or gone', () => {
    writeManifest();
    writeFileSync(join(directory, 'root', manifest.file), 'serv');
    expect(findUnpackedPackage(data, 'redis')).toBeUndefined();
    writeFileSync(join(directory, 'root', manifest.file), 'server');
    rmSync(join(directory, 'root/usr/lib/here'), { recursive: true });
    expect(findUnpackedPackage(data, 'redis')).toBeUndefined();
  });
});
