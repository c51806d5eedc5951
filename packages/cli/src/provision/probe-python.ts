import { isAbsolute } from 'node:path';
import { runCommand } from './run-command';
import { isAtLeast } from './program-version';

export const PYTHON_MIN_VERSION = '3.11.0';

/** The runner does not start without these; a bare `python3-minimal` has none of them. */
const REQUIRED_MODULES = ['json', 'ctypes', 'select'] as const;
/** User code may miss these. `tzdata` stands for the time zone files that `zoneinfo` reads. */
const WANTED_MODULES = ['ssl', 'sqlite3', 'zoneinfo', 'decimal', 'zlib', 'bz2', 'lzma', 'resource'] as const;

const PROBE_TIMEOUT_MS = 15_000;

export interface PythonProbe {
  readonly version: string;
  /** `sys.executable`: the interpreter itself, where the file that was called is a launcher script. */
  readonly executable: string;
  /** Where the standard library is. */
  readonly libraryDirectory: string;
  readonly missingModules: readonly string[];
}

/** Prints lines and not JSON, which is one of the modules that may be missing; old interpreters can parse it too. */
const PROBE = `
import sys, os
missing = []
for name in ${JSON.stringify([...REQUIRED_MODULES, ...WANTED_MODULES])}:
    try:
        __import__(name)
    except Exception:
        missing.append(name)
if "zoneinfo" not in missing:
    try:
        __import__("zoneinfo").ZoneInfo("Europe/Berlin")
    except Exception:
        missing.append("tzdata")
print("version=" + ".".join(str(part) for part in sys.version_info[:3]))
print("executable=" + (sys.executable or ""))
print("library=" + os.path.dirname(os.path.abspath(os.__file__)))
print("missing=" + ",".join(missing))
`;

/** Runs the interpreter once, isolated from the user's settings. Rejects what does not run at all. */
export async function probePython(file: string, env: Readonly<Record<string, string>> = {}): Promise<PythonProbe> {
  let stdout: string;
  try {
    stdout = await runCommand(file, ['-I', '-c', PROBE], { timeoutMs: PROBE_TIMEOUT_MS, env });
  } catch (error) {
    // Some programs answer with the whole probe.
    const { message } = error as Error;
    throw new Error(
      message.length < 200 ? `it does not run as a Python interpreter (${message}).` : 'it does not run as a Python interpreter.',
      { cause: error },
    );
  }
  return parsePythonProbe(stdout, file);
}

export function parsePythonProbe(output: string, file: string): PythonProbe {
  const read = (name: string): string => new RegExp(`^${name}=(.*)$`, 'm').exec(output)?.[1]?.trim() ?? '';
  const version = read('version');
  if (!/^\d+\.\d+\.\d+$/.test(version)) throw new Error('it does not answer as a Python interpreter.');
  const executable = read('executable');
  return {
    version,
    executable: isAbsolute(executable) ? executable : file,
    libraryDirectory: read('library'),
    missingModules: read('missing').split(',').filter(Boolean),
  };
}

/** Why this interpreter will not do, or undefined if it will. */
export function whyUnfit({ version, missingModules }: PythonProbe): string | undefined {
  if (!isAtLeast(version, PYTHON_MIN_VERSION)) return `it is Python ${version}, and 3.11 or newer is needed.`;
  const missing = REQUIRED_MODULES.filter((name) => missingModules.includes(name));
  return missing.length === 0 ? undefined : `its standard library lacks ${missing.join(', ')}.`;
}
