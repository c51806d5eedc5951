import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { itIf } from '../support/optional';

const ROOT = join(__dirname, '..', '..');
const FILTERS = join(ROOT, 'python', 'runner', 'python3_cluster_runner', 'filters');
const MACHINES = ['aarch64', 'x86_64'];
const NAMES = ['admin-child.bpf', 'admin.bpf', 'restricted-child.bpf', 'restricted-template.bpf'];

/** Debian's package python3-seccomp is for Debian's interpreter. */
const generator = '/usr/bin/python3';
const canGenerate = ((): boolean => {
  try {
    execFileSync(generator, ['-I', '-c', 'import seccomp'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
})();

describe('the seccomp filters', () => {
  itIf(canGenerate, 'this machine has no python3-seccomp')('are what their table makes', () => {
    const folder = mkdtempSync(join(tmpdir(), 'python3-filters-'));
    try {
      execFileSync(generator, ['-B', join(ROOT, 'scripts', 'seccomp', 'generate.py'), folder]);
      for (const machine of MACHINES) {
        expect(readdirSync(join(folder, machine)).sort()).toEqual(NAMES);
        for (const name of NAMES) {
          const [made, kept] = [folder, FILTERS].map((where) => readFileSync(join(where, machine, name)).toString('hex'));
          expect({ machine, name, content: kept }).toEqual({ machine, name, content: made });
        }
      }
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it('are there for both machines, whole instructions each, and no longer than the kernel takes', () => {
    for (const machine of MACHINES) {
      for (const name of NAMES) {
        const { length } = readFileSync(join(FILTERS, machine, name));
        expect([length % 8, length > 0, length / 8 <= 4_096]).toEqual([0, true, true]);
      }
    }
  });
});
