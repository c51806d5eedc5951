import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import type { PythonCommand } from './python-command';

/** Prints where it is and what it imports from, one path a line. */
const QUESTION = `
import os, sys
folders = [os.path.dirname(os.__file__), *sys.path]
folders += [path for path in (sys.prefix, sys.base_prefix) if path not in ("/", "/usr", "/usr/local")]
for path in [sys.executable, os.path.realpath(sys.executable), *folders]:
    if path and os.path.exists(path):
        print(path)
`;
const ANSWER_MS = 15_000;

/** Files and folders that the interpreter needs and that may stand anywhere. */
export async function readInterpreterPaths(python: PythonCommand): Promise<string[]> {
  const { stdout } = await promisify(execFile)(python.file, ['-I', '-c', QUESTION], { env: { ...python.env }, timeout: ANSWER_MS });
  const libraries = (python.env['LD_LIBRARY_PATH'] ?? '').split(':');
  return [python.file, ...stdout.split('\n'), ...libraries].filter((path) => path.startsWith('/'));
}
