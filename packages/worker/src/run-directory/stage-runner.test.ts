import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, lstatSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { JOB_MODES } from '@python3-cluster/shared';
import { pythonUnderTest } from '../../../../test/support/optional';
import { waitFor } from '../../../../test/support/wait-for';
import { makeNamedPipes, removeRunDirectory, stageRunner } from './stage-runner';

let base: string;
let source: string;
beforeEach(() => {
  base = mkdtempSync(join(tmpdir(), 'python3-stage-'));
  source = join(base, 'source');
  mkdirSync(join(source, 'package', '__pycache__'), { recursive: true });
  writeFileSync(join(source, '__main__.py'), 'main');
  writeFileSync(join(source, 'package', 'module.py'), 'module');
  writeFileSync(join(source, 'package', '__pycache__', 'module.pyc'), 'stale');
});
afterEach(() => rmSync(base, { recursive: true, force: true }));

/** The id of a process that has ended and been waited for. */
const deadPid = (): Promise<number> =>
  new Promise((resolve) => {
    const ended = spawn('true');
    ended.once('exit', () => resolve(ended.pid ?? 0));
  });

function leave(name: string, owner: string | undefined): string {
  const path = join(base, name);
  mkdirSync(join(path, 'admin', '0'), { recursive: true });
  writeFileSync(join(path, 'admin', '0', 'file'), 'x');
  if (owner !== undefined) writeFileSync(join(path, 'worker.pid'), owner);
  return path;
}

describe('a run directory', () => {
  it('holds a copy of the runner without compiled files, and names its owner', () => {
    const run = stageRunner(base, source);
    expect(readFileSync(join(run.runnerPath, '__main__.py'), 'utf8')).toBe('main');
    expect(readFileSync(join(run.runnerPath, 'package', 'module.py'), 'utf8')).toBe('module');
    expect(readdirSync(join(run.runnerPath, 'package'))).toEqual(['module.py']);
    expect(readFileSync(join(run.path, 'worker.pid'), 'utf8')).toMatch(new RegExp(`^${process.pid} \\d+$`));
    expect(JOB_MODES.map((mode) => run.workspacesPath(mode))).toEqual([join(run.path, 'restricted'), join(run.path, 'admin')]);
    expect(run.socketPath.startsWith(run.path)).toBe(true);
  });

  it('can be passed through by others, but not listed', () => {
    const run = stageRunner(base, source);
    for (const path of [run.path, ...JOB_MODES.map(run.workspacesPath)]) expect(lstatSync(path).mode & 0o777).toBe(0o711);
  });

  it('is made together with the folder it stands in, and removed without a trace', () => {
    const parent = join(base, 'new', 'folder');
    const run = stageRunner(parent, source);
    writeFileSync(join(run.workspacesPath('admin'), 'file'), 'x');
    // Not every name is text.
    mkdirSync(Buffer.concat([Buffer.from(`${run.workspacesPath('restricted')}/`), Buffer.from([0xff, 0xfe])]));
    removeRunDirectory(run);
    expect(readdirSync(parent)).toEqual([]);
    removeRunDirectory(run);
  });

  it('of two worker nodes are two', () => {
    expect(stageRunner(base, source).path).not.toBe(stageRunner(base, source).path);
  });
});

describe('what other worker nodes left', () => {
  it('is swept where they are dead', async () => {
    const abandoned = leave('python3-cluster-dead', String(await deadPid()));
    stageRunner(base, source);
    expect(existsSync(abandoned)).toBe(false);
  });

  it('is swept where they are dead, but nobody has fetched them', async () => {
    const { file, env } = pythonUnderTest();
    const neverWaits = 'import os, time\npid = os.fork()\nif pid == 0: os._exit(0)\nprint(pid, flush=True)\ntime.sleep(60)';
    const parent = spawn(file, ['-I', '-c', neverWaits], { env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'inherit'] });
    try {
      const [line] = (await once(parent.stdout, 'data')) as [Buffer];
      const pid = Number(line.toString());
      await waitFor('the zombie', () => readFileSync(`/proc/${pid}/stat`, 'latin1').includes(') Z '));
      const path = leave('python3-cluster-zombie', String(pid));
      stageRunner(base, source);
      expect(existsSync(path)).toBe(false);
    } finally {
      parent.kill('SIGKILL');
    }
  });

  it('is swept where another process has their pid by now', () => {
    const former = leave('python3-cluster-former', `${process.pid} 1`);
    stageRunner(base, source);
    expect(existsSync(former)).toBe(false);
  });

  it('is kept where they live', () => {
    const mine = leave('python3-cluster-mine', String(process.pid));
    const others = leave('python3-cluster-init', '1');
    stageRunner(base, source);
    expect([existsSync(join(mine, 'admin', '0', 'file')), existsSync(others)]).toEqual([true, true]);
  });

  it('is kept where it is not certainly theirs', async () => {
    const pid = String(await deadPid());
    const kept = [leave('python3-clusterx', pid), leave('other-python3-cluster-1', pid), leave('python3-cluster-young', undefined)];
    stageRunner(base, source);
    expect(kept.map((path) => existsSync(path))).toEqual([true, true, true]);
  });

  it('is swept without following a link out of it', async () => {
    const precious = join(base, 'precious');
    mkdirSync(precious);
    writeFileSync(join(precious, 'file'), 'x');
    const abandoned = leave('python3-cluster-dead', String(await deadPid()));
    symlinkSync(precious, join(abandoned, 'admin', 'link'));
    symlinkSync(leave('elsewhere', String(await deadPid())), join(base, 'python3-cluster-link'));
    stageRunner(base, source);
    expect(existsSync(abandoned)).toBe(false);
    expect([existsSync(join(precious, 'file')), existsSync(join(base, 'elsewhere', 'admin', '0', 'file'))]).toEqual([true, true]);
  });
});

describe('named pipes', () => {
  it('are the owner’s alone', async () => {
    const paths = [join(base, 'a'), join(base, 'with space')];
    await makeNamedPipes(paths);
    for (const path of paths) expect([lstatSync(path).isFIFO(), lstatSync(path).mode & 0o777]).toEqual([true, 0o600]);
  });

  it('that cannot be made are an error', async () => {
    await expect(makeNamedPipes([join(base, 'missing', 'pipe')])).rejects.toThrow();
    await expect(makeNamedPipes([source])).rejects.toThrow();
  });
});
