import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/** A program of test/fixtures/programs, one per misbehaviour. */
export const program = (name: string): string => readFileSync(join(__dirname, '..', 'fixtures', 'programs', `${name}.py`), 'utf8');
