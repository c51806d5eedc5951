import { findOnPath, isExecutableFile } from './find-on-path';
import { PYTHON_MIN_VERSION, probePython, whyUnfit, type PythonProbe } from './probe-python';
import { ProvisionError } from './provision-error';
import { fingerprintOf, readProvisionRecord, updateProvisionRecord } from './provision-record';
import { listPythonCandidates } from './python-candidates';
import { findUnpackedPackage } from './unpacked-package';
import { isWorldExecutable, isWorldReadable } from './world-executable';

export interface PythonCommand {
  readonly file: string;
  /** Has to be in the environment of every process that starts this interpreter. */
  readonly env: Record<string, string>;
  readonly version: string;
  readonly source: 'setting' | 'path' | 'system-package' | 'unpacked';
  /** Whether slots with a uid of their own can run it. */
  readonly worldExecutable: boolean;
  /** Modules that user code may miss; `tzdata` stands for the time zone files. */
  readonly missingModules: readonly string[];
  /** Set for `unpacked`: everything the interpreter reads beyond the system's own files is below it. */
  readonly unpackedRoot?: string;
}

export interface FoundPython {
  /** One that every uid can run. */
  readonly open?: PythonCommand;
  /** The first that only this user can run, where no other was found. */
  readonly confined?: PythonCommand;
}

/** `PYTHON3_PATH` is taken at its word: it is used or refused, never replaced by another interpreter. */
export async function checkExplicitPython(explicitPath: string, dataDirectory: string): Promise<PythonCommand> {
  const file = explicitPath.includes('/') ? explicitPath : findOnPath(explicitPath);
  const refuse = (reason: string, cause?: unknown): ProvisionError =>
    new ProvisionError('PYTHON_NOT_FOUND', `PYTHON3_PATH is ${explicitPath}, which cannot be used: ${reason}`, { cause });
  if (file === undefined || !isExecutableFile(file))
    throw refuse(`there is no such executable file; name a Python ${PYTHON_MIN_VERSION.slice(0, 4)} or newer.`);
  let probe: PythonProbe;
  try {
    probe = await probeOnce(file, {}, dataDirectory);
  } catch (error) {
    throw refuse((error as Error).message, error);
  }
  const reason = whyUnfit(probe);
  if (reason !== undefined) throw refuse(reason);
  return toCommand(file, probe, {}, 'setting');
}

/** Stops at the first interpreter that every uid can run. Runs offline; `report` hears why one is passed over. */
export async function findPython(dataDirectory: string, report: (line: string) => void): Promise<FoundPython> {
  const unpacked = findUnpackedPackage(dataDirectory, 'python');
  const candidates = [
    ...listPythonCandidates().map((file) => ({ file, env: {}, source: 'path' as const, root: undefined })),
    ...(unpacked === undefined ? [] : [{ file: unpacked.file, env: unpacked.env, source: 'unpacked' as const, root: unpacked.root }]),
  ];
  let confined: PythonCommand | undefined;
  for (const { file, env, source, root } of candidates) {
    try {
      const probe = await probeOnce(file, env, dataDirectory);
      const reason = whyUnfit(probe);
      if (reason !== undefined) throw new Error(reason);
      const command = { ...toCommand(file, probe, env, source), ...(root === undefined ? {} : { unpackedRoot: root }) };
      if (command.worldExecutable) return { open: command };
      confined ??= command;
    } catch (error) {
      report(`Passing over ${file}: ${(error as Error).message}`);
    }
  }
  return confined === undefined ? {} : { confined };
}

function toCommand(file: string, probe: PythonProbe, env: Record<string, string>, source: PythonCommand['source']): PythonCommand {
  return {
    file: probe.executable,
    env,
    version: probe.version,
    source,
    worldExecutable: isWorldExecutable(probe.executable) && isWorldExecutable(file) && isWorldReadable(probe.libraryDirectory),
    missingModules: probe.missingModules,
  };
}

/**
 * A probe costs a tenth of a second, so its answer is kept while the file stays the same. Not kept: answers with modules
 * missing, which may be installed any time, and those of launcher scripts, which start what their settings say.
 */
async function probeOnce(file: string, env: Record<string, string>, dataDirectory: string): Promise<PythonProbe> {
  const fingerprint = fingerprintOf(file);
  const known = readProvisionRecord(dataDirectory).pythonProbes[file];
  if (known?.fingerprint === fingerprint) return known.probe;
  const probe = await probePython(file, env);
  if (probe.missingModules.length === 0 && fingerprintOf(probe.executable) === fingerprint) {
    updateProvisionRecord(dataDirectory, (record) => ({
      ...record,
      pythonProbes: { ...record.pythonProbes, [file]: { fingerprint, probe } },
    }));
  }
  return probe;
}
