import { appendFileSync, existsSync, readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { checkExplicitPython, findPython, type FoundPython, type PythonCommand } from './find-python';
import { withPackageLists } from './keep-package-lists';
import { findPackageManager, installWith, type PackageRecipe } from './package-managers';
import { probePython, PYTHON_MIN_VERSION, whyUnfit } from './probe-python';
import { ProvisionError } from './provision-error';
import { withProvisionLock } from './provision-lock';
import { runCommand } from './run-command';
import { unpackDebianPackages } from './unpack-debian-packages';
import type { UnpackedPackage } from './unpacked-package';

export interface FindOrInstallPythonOptions {
  /** Where to unpack, if that is what it takes, and where probes are remembered: `.data` of the clone. */
  readonly dataDirectory: string;
  /** `PYTHON3_PATH`. */
  readonly explicitPath?: string | undefined;
  /** Hears one line before anything slow. */
  readonly report: (line: string) => void;
  /** Ends an installation under way. */
  readonly signal?: AbortSignal;
}

const VERSIONED = ['python3.13', 'python3.12', 'python3.11'];

export const pythonRecipe: PackageRecipe = {
  apt: ['python3', ...VERSIONED].map((name) => ({ name, minVersion: PYTHON_MIN_VERSION })),
  aptExtras: ['tzdata'],
  dnf: [['python3.13'], ['python3.12'], ['python3.11'], ['python3']],
  apk: [['python3', 'tzdata']],
  brew: [['python@3.13'], ['python@3.12']],
};

const COMPILE_TIMEOUT_MS = 180_000;

/**
 * A Python 3.11 or newer from `PYTHON3_PATH`, this machine, an earlier start, or newly installed; else `PYTHON_NOT_FOUND`.
 * One that only this user can run will do for a user, whose slots have no other uid; root, whose slots have, installs
 * another if that is possible.
 */
export async function findOrInstallPython(options: FindOrInstallPythonOptions): Promise<PythonCommand> {
  const { dataDirectory, explicitPath, report } = options;
  return withPackageLists(dataDirectory, 'python', async () => {
    if (explicitPath !== undefined && explicitPath !== '') return checkExplicitPython(explicitPath, dataDirectory);
    return choose(await findPython(dataDirectory, report)) ?? withProvisionLock(dataDirectory, report, () => findAgainOrInstall(options));
  });
}

const isRoot = (): boolean => process.getuid?.() === 0;

const choose = ({ open, confined }: FoundPython): PythonCommand | undefined => open ?? (isRoot() ? undefined : confined);

/** Another process may have installed one while this one waited for the lock. */
async function findAgainOrInstall(options: FindOrInstallPythonOptions): Promise<PythonCommand> {
  const found = await findPython(options.dataDirectory, () => undefined);
  return choose(found) ?? (await install(options, found.confined));
}

async function install(options: FindOrInstallPythonOptions, confined: PythonCommand | undefined): Promise<PythonCommand> {
  const { dataDirectory, report, signal } = options;
  const lacking = confined === undefined ? 'No Python 3.11 or newer found' : `${confined.file} cannot be run by other users`;
  const manager = findPackageManager();
  let failure: unknown;
  if (manager?.mayInstall === true) {
    report(`${lacking}; installing one with ${manager.name}.`);
    try {
      await installWith(manager, pythonRecipe, report, signal);
      const installed = choose(await findPython(dataDirectory, report));
      if (installed !== undefined) return { ...installed, source: 'system-package' };
    } catch (error) {
      failure = error;
    }
  }
  if (confined !== undefined) return confined;
  if (manager?.name === 'apt' && signal?.aborted !== true) {
    report(`${lacking}; unpacking one from the system’s packages.`);
    try {
      return await unpackPython(options);
    } catch (error) {
      failure ??= error;
    }
  }
  const reason = failure instanceof Error ? ` (${failure.message})` : '';
  throw new ProvisionError(
    'PYTHON_NOT_FOUND',
    `No Python 3.11 or newer was found or could be installed${reason}: install one, or set PYTHON3_PATH to the interpreter to use.`,
    { cause: failure },
  );
}

async function unpackPython({ dataDirectory, report, signal }: FindOrInstallPythonOptions): Promise<PythonCommand> {
  await unpackDebianPackages({
    dataDirectory,
    name: 'python',
    choices: pythonRecipe.apt,
    report,
    signal,
    locate: locatePython,
    verify: (candidate) => finishPython(candidate, report, signal),
  });
  const { open, confined } = await findPython(dataDirectory, report);
  const found = open ?? confined;
  if (found === undefined) throw new Error('the unpacked interpreter does not run from its place');
  return found;
}

/** The real file and not the link `python3`, which an older default version might own. */
export function locatePython(root: string): { file: string } | undefined {
  const directory = join(root, 'usr/bin');
  const names = existsSync(directory) ? readdirSync(directory).filter((name) => /^python3\.\d+$/.test(name)) : [];
  const newest = names.sort((a, b) => Number(b.slice('python3.'.length)) - Number(a.slice('python3.'.length)))[0];
  return newest === undefined ? undefined : { file: join('usr/bin', newest) };
}

async function finishPython(candidate: UnpackedPackage, report: (line: string) => void, signal: AbortSignal | undefined): Promise<void> {
  const first = await probePython(candidate.file, candidate.env);
  addTimeZones(candidate.root, first.libraryDirectory);
  const probe = await probePython(candidate.file, candidate.env);
  const reason = whyUnfit(probe);
  if (reason !== undefined) throw new Error(`the unpacked interpreter will not do: ${reason}`);
  if (!probe.libraryDirectory.startsWith(dirname(candidate.root)))
    throw new Error('the unpacked interpreter does not find its own standard library');
  // The packages come without byte code (dpkg would have compiled it), and every start would pay for that.
  report('Compiling Python’s standard library …');
  await runCommand(candidate.file, ['-I', '-m', 'compileall', '-q', probe.libraryDirectory], {
    timeoutMs: COMPILE_TIMEOUT_MS,
    env: candidate.env,
    signal,
  });
}

/** zoneinfo looks in places compiled in; the unpacked time zones are added to them relative to the interpreter. */
function addTimeZones(root: string, libraryDirectory: string): void {
  if (!existsSync(join(root, 'usr/share/zoneinfo'))) return;
  for (const name of readdirSync(libraryDirectory).filter((file) => /^_sysconfigdata_.*\.py$/.test(file))) {
    appendFileSync(
      join(libraryDirectory, name),
      "\nimport sys as _sys\nbuild_time_vars['TZPATH'] = _sys.base_prefix + '/share/zoneinfo:' + build_time_vars.get('TZPATH', '')\n",
    );
  }
}
