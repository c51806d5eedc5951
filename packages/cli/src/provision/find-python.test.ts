import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { checkExplicitPython } from './find-python';
import { listPythonCandidates } from './python-candidates';

describe('finding Python', () => {
  let data: string;
  let runs: string;

  /** Answers the probe like an interpreter, and notes that it was run. */
  const writeInterpreter = (name: string, version: string, missing = ''): string => {
    const file = join(data, name);
    writeFileSync(
      file,
      `#!/bin/sh\necho run >> ${runs}\nprintf 'version=${version}\\nexecutable=${file}\\nlibrary=${data}\\nmissing=${missing}\\n'\n`,
    );
    chmodSync(file, 0o755);
    return file;
  };
  const countRuns = (): number => readFileSync(runs, 'utf8').trim().split('\n').length;

  beforeEach(() => {
    data = mkdtempSync(join(tmpdir(), 'find-python-'));
    runs = join(data, 'runs');
  });

  afterEach(() => rmSync(data, { recursive: true, force: true }));

  it('tries the distribution’s interpreter first and names none twice', () => {
    const candidates = listPythonCandidates();
    expect(new Set(candidates).size).toBe(candidates.length);
    const places = ['/usr/bin/python3', '/usr/local/bin/python3'].map((file) => candidates.indexOf(file)).filter((place) => place !== -1);
    expect(places).toEqual(places.map((_, index) => index));
  });

  it('runs an interpreter once and remembers its answer until the file changes', async () => {
    const file = writeInterpreter('python3', '3.12.1');
    expect(await checkExplicitPython(file, data)).toMatchObject({ file, version: '3.12.1', source: 'setting', worldExecutable: false });
    await checkExplicitPython(file, data);
    expect(countRuns()).toBe(1);
    writeInterpreter('python3', '3.13.10');
    expect(await checkExplicitPython(file, data)).toMatchObject({ version: '3.13.10' });
    expect(countRuns()).toBe(2);
  });

  it('asks again while modules are missing, as they may be installed any time', async () => {
    const file = writeInterpreter('python3', '3.12.1', 'tzdata');
    expect((await checkExplicitPython(file, data)).missingModules).toEqual(['tzdata']);
    await checkExplicitPython(file, data);
    expect(countRuns()).toBe(2);
  });

  it('refuses a PYTHON3_PATH that is too old, no interpreter or not there, and says which', async () => {
    const old = writeInterpreter('python3.9', '3.9.2');
    await expect(checkExplicitPython(old, data)).rejects.toMatchObject({
      code: 'PYTHON_NOT_FOUND',
      message: expect.stringContaining('it is Python 3.9.2'),
    });
    await expect(checkExplicitPython('/bin/false', data)).rejects.toMatchObject({ code: 'PYTHON_NOT_FOUND' });
    await expect(checkExplicitPython(join(data, 'nothing'), data)).rejects.toMatchObject({
      message: expect.stringContaining('no such executable file'),
    });
  });
});
