import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { makeNotesFolder } from './notes';

/** Jobs that note each of their runs in a file of their own. */
export class NotedRuns {
  private readonly directory = makeNotesFolder();
  private count = 0;

  readonly newMark = (): string => join(this.directory, `${(this.count += 1)}`);

  /** Code that notes each run, then goes on; `run` is the number of this one. Another worker node's users add to the file. */
  readonly noting = (mark: string, then: string): string =>
    `import os\nos.umask(0)\nwith open('${mark}', 'a') as file: print('ran', file=file)\nrun = len(open('${mark}').readlines())\nprint('run', run)\n${then}`;

  readonly runsOf = (mark: string): number => (existsSync(mark) ? readFileSync(mark, 'utf8').trim().split('\n').length : 0);
}
