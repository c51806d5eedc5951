import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isWorldExecutable } from './world-executable';

describe('isWorldExecutable', () => {
  let top: string;
  let program: string;

  beforeEach(() => {
    top = mkdtempSync(join(tmpdir(), 'world-executable-'));
    chmodSync(top, 0o755);
    for (const name of ['open', 'closed']) mkdirSync(join(top, name), { mode: 0o755 });
    program = join(top, 'open', 'python3');
    writeFileSync(program, '');
    chmodSync(program, 0o755);
  });

  afterEach(() => rmSync(top, { recursive: true, force: true }));

  it('is true for a program in directories that everybody may pass', () => {
    expect(isWorldExecutable(program)).toBe(true);
  });

  it('is false for a program that only its owner may execute, and for none', () => {
    chmodSync(program, 0o700);
    expect(isWorldExecutable(program)).toBe(false);
    expect(isWorldExecutable(join(top, 'nothing'))).toBe(false);
  });

  it('is false below a private directory', () => {
    chmodSync(join(top, 'open'), 0o750);
    expect(isWorldExecutable(program)).toBe(false);
  });

  it('is false when the way to a link, or to what it points at, is private', () => {
    chmodSync(join(top, 'closed'), 0o700);
    symlinkSync(program, join(top, 'closed', 'python3'));
    expect(isWorldExecutable(join(top, 'closed', 'python3'))).toBe(false);

    writeFileSync(join(top, 'closed', 'real'), '', { mode: 0o755 });
    symlinkSync(join(top, 'closed', 'real'), join(top, 'open', 'link'));
    expect(isWorldExecutable(join(top, 'open', 'link'))).toBe(false);
  });
});
