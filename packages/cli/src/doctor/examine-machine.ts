import { statfs } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { isClusterError, loadConfig, type Config, type Environment } from '@python3-cluster/shared';
import { checkExplicitPython, findPython, type PythonCommand } from '../provision/find-python';
import { fail, ok, warn, type CheckResult } from './check';
import { checkCluster } from './check-cluster';
import { checkIsolation } from './check-isolation';
import { checkMemory } from './check-memory';
import { checkRedis } from './check-redis';
import { checkSigningKey } from './check-signing-key';

const LOW_DISK_BYTES = 1_073_741_824;

/** Everything `doctor` looks at. Installs and changes nothing. */
export async function examineMachine(environment: Environment, dataDirectory: string): Promise<CheckResult[]> {
  const { config, secretFiles, result } = checkConfig(environment);
  const results = [ok('Node', process.version), result];
  const { python, result: pythonResult } = await checkPython(dataDirectory, config?.pythonPath ?? '');
  results.push(pythonResult);
  results.push(...(await checkRedis(config, dataDirectory)));
  results.push(...(await checkSigningKey(config)));
  results.push(await checkScratch(config?.runDirectory || tmpdir()));
  if (config) results.push(checkMemory(config));
  if (process.platform !== 'linux') {
    results.push(
      fail('Isolation', `worker nodes need Linux, this is ${process.platform}`, 'run the API here, against worker nodes elsewhere'),
    );
  } else if (config && python) {
    results.push(await checkIsolation({ config, secretFiles, python, dataDirectory }));
  }
  if (config) results.push(...(await checkCluster(environment, dataDirectory)));
  return results;
}

function checkConfig(environment: Environment): { config?: Config; secretFiles: readonly string[]; result: CheckResult } {
  try {
    const { config, warnings, secretFiles } = loadConfig(environment);
    return {
      config,
      secretFiles,
      result:
        warnings.length === 0
          ? ok('Settings', 'valid')
          : warn('Settings', warnings.join('; '), 'mend the settings it names; docs/configuration.md lists all of them'),
    };
  } catch (error) {
    if (!isClusterError(error)) throw error;
    return {
      secretFiles: [],
      result: fail(
        'Settings',
        error.message,
        'mend each of them, in the environment or in .env; docs/configuration.md says what they accept',
      ),
    };
  }
}

interface FoundPython {
  readonly python?: PythonCommand;
  readonly result: CheckResult;
}

async function checkPython(dataDirectory: string, explicitPath: string): Promise<FoundPython> {
  if (explicitPath !== '') return checkNamedPython(dataDirectory, explicitPath);
  const { open, confined } = await findPython(dataDirectory, () => undefined);
  if (open) return { python: open, result: ok('Python', `${open.file} ${open.version}${missing(open.missingModules)}`) };
  if (confined) {
    return {
      python: confined,
      result: warn(
        'Python',
        `${confined.file} ${confined.version}, which only this user can execute`,
        'install python3 for all users, or name one by PYTHON3_PATH: jobs run as other users',
      ),
    };
  }
  return {
    result: fail('Python', 'no Python 3.11 or newer found', 'install python3, or set PYTHON3_PATH; `npm start` tries to install one'),
  };
}

async function checkNamedPython(dataDirectory: string, path: string): Promise<FoundPython> {
  try {
    const python = await checkExplicitPython(path, dataDirectory);
    return { python, result: ok('Python', `${python.file} ${python.version} (PYTHON3_PATH)${missing(python.missingModules)}`) };
  } catch (error) {
    return {
      result: fail('Python', (error as Error).message, 'set PYTHON3_PATH to a Python 3.11 or newer, or unset it to have one looked for'),
    };
  }
}

const missing = (modules: readonly string[]): string => (modules.length === 0 ? '' : `, without ${modules.join(', ')}`);

async function checkScratch(directory: string): Promise<CheckResult> {
  const stats = await statfs(directory);
  const free = stats.bavail * stats.bsize;
  const text = `${(free / 1_073_741_824).toFixed(1)} GiB free in ${directory}`;
  return free < LOW_DISK_BYTES
    ? warn('Scratch space', `only ${text}`, 'make room there, or set PYTHON3_RUN_DIRECTORY to a folder with room')
    : ok('Scratch space', text);
}
