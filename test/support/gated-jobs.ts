import { closeSync, openSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { notesRoot } from './notes';

/** ADMIN jobs whose `gate()` returns when the test opens it: what is seen before that was seen while the job ran. */
export class GatedJobs {
  private readonly name: string;
  private count = 0;

  constructor(name: string) {
    this.name = `${name}-gate-`;
  }

  make(code: string): { readonly job: { readonly code: string; readonly mode: 'admin' }; readonly open: () => void } {
    const path = join(notesRoot(), `${this.name}${(this.count += 1)}`);
    const prelude = `
import os, sys, time
def gate():
    while not os.path.exists('${path}'):
        time.sleep(0.01)
`;
    return { job: { code: prelude + code, mode: 'admin' }, open: () => closeSync(openSync(path, 'w')) };
  }

  clean(): void {
    for (const name of readdirSync(notesRoot())) if (name.startsWith(this.name)) rmSync(join(notesRoot(), name));
  }
}
