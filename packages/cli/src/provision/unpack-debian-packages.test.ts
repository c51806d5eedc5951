import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { mkdirSync, mkdtempSync, readlinkSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { locatePython } from './find-or-install-python';
import { findLibraryDirectories, makeLinksRelative, NoSuitablePackageError } from './unpack-debian-packages';

describe('an unpacked root', () => {
  let root: string;

  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), 'unpacked-root-'));
    for (const directory of ['etc/python', 'usr/lib/python', 'usr/lib/x86_64-linux-gnu', 'lib/aarch64-linux-gnu', 'usr/bin']) {
      mkdirSync(join(root, directory), { recursive: true });
    }
  });

  afterEach(() => rmSync(root, { recursive: true, force: true }));

  it('has its absolute links turned inwards, where they have something to point at', () => {
    writeFileSync(join(root, 'etc/python/site.py'), '');
    symlinkSync('/etc/python/site.py', join(root, 'usr/lib/python/site.py'));
    symlinkSync('/dev/null', join(root, 'usr/lib/python/outside'));
    symlinkSync('site.py', join(root, 'usr/lib/python/relative'));
    makeLinksRelative(root, root);
    expect(readlinkSync(join(root, 'usr/lib/python/site.py'))).toBe('../../../etc/python/site.py');
    expect(readlinkSync(join(root, 'usr/lib/python/outside'))).toBe('/dev/null');
    expect(readlinkSync(join(root, 'usr/lib/python/relative'))).toBe('site.py');
  });

  it('has its libraries found for any architecture', () => {
    expect(findLibraryDirectories(root)).toEqual(['usr/lib/x86_64-linux-gnu', 'lib/aarch64-linux-gnu']);
  });

  it('has its newest interpreter found by its real name', () => {
    expect(locatePython(root)).toBeUndefined();
    for (const name of ['python3', 'python3.9', 'python3.12', 'python3.11', 'python3.12-config'])
      writeFileSync(join(root, 'usr/bin', name), '');
    expect(locatePython(root)).toEqual({ file: 'usr/bin/python3.12' });
  });
});

describe('NoSuitablePackageError', () => {
  const choices = [
    { name: 'python3', minVersion: '3.11.0' },
    { name: 'python3.11', minVersion: '3.11.0' },
  ];

  it('says which version the distribution has', () => {
    expect(new NoSuitablePackageError(choices, { python3: '3.9.2' }).message).toBe(
      'this distribution only has python3 3.9.2, and 3.11.0 or newer is needed',
    );
  });

  it('says so when it has none', () => {
    expect(new NoSuitablePackageError(choices, {}).message).toBe(
      'the package sources cannot be reached or have none of python3, python3.11',
    );
  });
});
