import { chmodSync, mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const VARIABLE = 'PYTHON3_TEST_NOTES';

/** Before all tests: where ADMIN code of theirs may write, besides its scratch folder. */
export function makeNotesRoot(): string {
  const root = (process.env[VARIABLE] = mkdtempSync(join(tmpdir(), 'p3n-')));
  chmodSync(root, 0o755);
  return root;
}

export const notesRoot = (): string => process.env[VARIABLE] ?? tmpdir();

/** A folder that code may write to, whichever user it runs as. It is gone when all tests are over. */
export function makeNotesFolder(): string {
  const folder = mkdtempSync(join(notesRoot(), 'notes-'));
  chmodSync(folder, 0o777);
  return folder;
}
