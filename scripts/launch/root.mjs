import { fileURLToPath } from 'node:url';
import { join } from 'node:path';

/** The clone. */
export const root = fileURLToPath(new URL('../..', import.meta.url)).replace(/\/$/, '');

export const dataDirectory = join(root, '.data');

/** Progress goes to stderr: stdout belongs to what is started. */
export const report = (line) => void process.stderr.write(`${line}\n`);

/** Told to the user as one line, without a stack. */
export class LaunchError extends Error {}
