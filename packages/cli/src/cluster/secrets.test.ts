import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { execFileSync } from 'node:child_process';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from '@jest/globals';
import { itIf } from '../../../../test/support/optional';
import { ensureSecrets, readSecret, writeWhole } from './secrets';

let directory: string;
beforeEach(() => void (directory = mkdtempSync(join(tmpdir(), 'python3-secrets-'))));
afterEach(() => rmSync(directory, { recursive: true, force: true }));

it('secrets are made once, and readable by their owner only', () => {
  const files = ensureSecrets(directory);
  const key = readSecret(files.signingKey);
  expect(key).toMatch(/^[0-9a-f]{64}$/);
  expect(statSync(files.signingKey).mode & 0o777).toBe(0o600);
  expect(readSecret(ensureSecrets(directory).signingKey)).toBe(key);
  expect(readdirSync(directory)).toHaveLength(4);
});

it('an empty one is named, by its file', () => {
  const { developerKey } = ensureSecrets(directory);
  writeFileSync(developerKey, '\n');
  expect(() => ensureSecrets(directory)).toThrow(developerKey);
  expect(readFileSync(developerKey, 'utf8')).toBe('\n');
});

itIf(process.getuid?.() === 0, 'mounting a small disk needs root')('a disk that is full leaves none that is empty', () => {
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', directory]);
  try {
    expect(() => writeFileSync(join(directory, 'filler'), Buffer.alloc(1_000_000))).toThrow(/ENOSPC/);
    expect(() => ensureSecrets(directory)).toThrow(/ENOSPC/);
    expect(readdirSync(directory)).toEqual(['filler']);
    rmSync(join(directory, 'filler'));
    writeWhole(join(directory, 'kept'), 'before');
    expect(() => writeFileSync(join(directory, 'filler'), Buffer.alloc(1_000_000))).toThrow(/ENOSPC/);
    expect(() => writeWhole(join(directory, 'kept'), 'after'.repeat(10_000))).toThrow(/ENOSPC/);
    expect(readFileSync(join(directory, 'kept'), 'utf8')).toBe('before');
    expect(existsSync(join(directory, 'filler'))).toBe(true);
  } finally {
    execFileSync('umount', [directory]);
  }
});
