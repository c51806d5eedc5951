import { accessSync, constants, mkdirSync } from 'node:fs';
import {
  ClusterError, findPortProblem, isClusterError, throwProblems,
  type ReadConfig, type StartProblem,
} from '@python3-cluster/shared'; // prettier-ignore
import type { PythonCommand } from './sandbox/python-command';

/**
 * Looks at all that can be known before anything is started, and tells what is wrong with it together.
 * @throws ClusterError CONFIG_INVALID, or the code of the only problem
 */
export async function assertCanStart(
  { config, problems, isValid }: Pick<ReadConfig, 'config' | 'problems' | 'isValid'>,
  findPython: (explicitPath: string) => Promise<PythonCommand>,
): Promise<PythonCommand> {
  const found: StartProblem[] = [...problems];
  const { workerMetricsHost: host, workerMetricsPort: port, runDirectory, pythonPath } = config;
  if (isValid('workerMetricsPort') && isValid('workerMetricsHost')) {
    const problem = await findPortProblem('PYTHON3_WORKER_METRICS_PORT', host, port);
    if (problem !== undefined) found.push(problem);
  }
  if (runDirectory !== '') found.push(...findDirectoryProblems(runDirectory));
  // Finding may mean installing, which nobody should wait for only to hear of something else.
  if (found.length > 0 && pythonPath === '') throwProblems(found);
  const python = await findPython(pythonPath).catch((error: unknown) => {
    if (!isClusterError(error)) throw error;
    found.push({ code: error.code, text: error.message });
  });
  throwProblems(found);
  if (python === undefined) throw new ClusterError('PYTHON_NOT_FOUND');
  return python;
}

function findDirectoryProblems(path: string): StartProblem[] {
  try {
    mkdirSync(path, { recursive: true });
    accessSync(path, constants.W_OK | constants.X_OK);
    return [];
  } catch (error) {
    const { code = 'unknown error' } = error as NodeJS.ErrnoException;
    return [{ code: 'CONFIG_INVALID', text: `PYTHON3_RUN_DIRECTORY cannot be used: ${path} (${code})` }];
  }
}
