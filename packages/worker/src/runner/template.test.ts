import { mkdtempSync, readdirSync, readFileSync, readlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { childrenOf, isAlive, StagedRunner } from '../../../../test/contracts/staged-runner';
import { waitFor } from '../../../../test/support/wait-for';
import type { Workspace } from '../workspaces/workspace';
import type { Child } from './child';
import { Template, type TemplateOptions } from './template';

const runner = new StagedRunner(1_024);
const { base, directory, python } = runner;
beforeAll(() => runner.start());
afterAll(() => runner.stop());

const templates: Template[] = [];
const lost: Template[] = [];
afterEach(async () => {
  for (const template of templates.splice(0)) template.kill();
  await runner.allGone();
});

async function startTemplate(options: Partial<TemplateOptions> = {}): Promise<Template> {
  const template = await Template.start({ ...runner.templateOptions, onLost: (gone) => void lost.push(gone), ...options });
  templates.push(template);
  return template;
}

const takeWorkspaces = (count: number): Promise<Workspace[]> => Promise.all(Array.from({ length: count }, () => runner.workspaces.take()));

describe('a template', () => {
  it('tells what it is once its imports are done', async () => {
    const template = await startTemplate({ preload: ['json', 'decimal'] });
    expect(template.ready).toMatchObject({
      type: 'ready',
      pythonVersion: expect.stringMatching(/^3\.\d+\.\d+$/),
      preloaded: ['json', 'decimal'],
    });
    expect([isAlive(template.pid), template.lost, await template.ping(5_000)]).toEqual([true, false, true]);
  });

  it('gets nothing of our environment', async () => {
    process.env['PYTHON3_SIGNING_KEY_OF_TEST'] = 'secret-of-the-test';
    const template = await startTemplate();
    delete process.env['PYTHON3_SIGNING_KEY_OF_TEST'];
    const environment = readFileSync(`/proc/${template.pid}/environ`, 'latin1');
    expect(environment).toContain('LANG=C.UTF-8');
    expect(environment).not.toContain('secret-of-the-test');
    expect(readdirSync(`/proc/${template.pid}/fd`).length).toBeLessThan(12);
  });

  it.each<[string, Parameters<typeof startTemplate>[0], RegExp]>([
    ['a preload that cannot be imported', { preload: ['json', 'no_such_module_at_all'] }, /no_such_module_at_all/],
    ['no interpreter', { python: { file: join(base, 'missing', 'python3'), env: {} } }, /ENOENT/],
    ['an interpreter that ends at once', { python: { file: '/bin/false', env: {} } }, /exit code 1/],
    ['an interpreter that says nothing of use', { runnerPath: join(base, 'missing.py') }, /exit code 2/],
  ])('with %s does not come up, and the reason is said', async (_, options, words) => {
    await expect(startTemplate(options)).rejects.toMatchObject({ code: 'TEMPLATE_START_FAILED', message: expect.stringMatching(words) });
  });

  it.each([
    ['nothing', 'x = 1', undefined],
    ['a thread', 'import _thread, time\n_thread.start_new_thread(time.sleep, (60,))\n', /TEMPLATE_HAS_THREADS.*left_behind/],
    ['a descriptor', 'file = open("/dev/null")', /TEMPLATE_HAS_DESCRIPTORS.*left_behind.*\/dev\/null/],
    ['an exit', 'raise SystemExit(0)', /PRELOAD_IMPORT_FAILED.*left_behind/],
  ])('whose preload leaves %s behind', async (_, code, words) => {
    const folder = mkdtempSync(join(base, 'modules-'));
    writeFileSync(join(folder, 'left_behind.py'), code);
    // Isolated interpreters import from their own folders only; this one is given another.
    const start = `import runpy, sys; sys.path.append("${folder}"); runpy.run_path("${directory.runnerPath}", run_name="__main__")`;
    const file = join(folder, 'python3');
    writeFileSync(file, `#!/bin/sh\nexec "${python.file}" -I -B -u -c '${start}'\n`, { mode: 0o755 });
    const template = startTemplate({ preload: ['left_behind'], python: { file, env: python.env } });
    if (words === undefined) expect((await template).ready.preloaded).toEqual(['left_behind']);
    else await expect(template).rejects.toMatchObject({ code: 'TEMPLATE_START_FAILED', message: expect.stringMatching(words) });
  });

  it('stops when it is asked, children and all', async () => {
    const template = await startTemplate();
    const child = await runner.fork(template);
    await template.stop();
    expect([isAlive(template.pid), isAlive(child.pid), template.lost]).toEqual([false, false, true]);
    await template.stop();
  });

  it('that is killed takes its children along, and is reported once', async () => {
    const template = await startTemplate();
    const [idle, busy] = await Promise.all([runner.fork(template), runner.fork(template)]);
    expect([idle.state, busy.state]).toEqual(['idle', 'idle']);
    lost.length = 0;
    process.kill(template.pid, 'SIGKILL');
    expect((await idle.exited).signal).toBe(9);
    expect((await busy.exited).signal).toBe(9);
    await waitFor('the processes to be gone', () => ![template.pid, idle.pid, busy.pid].some(isAlive));
    expect(lost).toEqual([template]);
    await expect(runner.fork(template)).rejects.toThrow('gone');
    await template.stop();
    expect(await template.ping(20)).toBe(false);
    expect(lost).toHaveLength(1);
  });

  it('that is killed while it forks fails those forks', async () => {
    const template = await startTemplate();
    process.kill(template.pid, 'SIGSTOP');
    const workspaces = await takeWorkspaces(3);
    const forks = Promise.allSettled(workspaces.map((workspace) => template.fork(workspace)));
    process.kill(template.pid, 'SIGKILL');
    expect((await forks).map(({ status }) => status)).toEqual(['rejected', 'rejected', 'rejected']);
  });

  it('that hangs does not answer a ping', async () => {
    const template = await startTemplate();
    process.kill(template.pid, 'SIGSTOP');
    expect(await template.ping(50)).toBe(false);
  });
});

describe('a forked child', () => {
  it('that idles can be killed', async () => {
    const child = await runner.fork(await startTemplate());
    child.kill();
    expect(await child.exited).toMatchObject({ exitCode: null, signal: 9 });
    expect(isAlive(child.pid)).toBe(false);
  });

  it('among many is each its own', async () => {
    const template = await startTemplate();
    const children = await Promise.all(Array.from({ length: 12 }, () => runner.fork(template)));
    expect(new Set(children.map(({ pid }) => pid)).size).toBe(12);
    expect([...childrenOf(template.pid)].sort()).toEqual(children.map(({ pid }) => pid).sort());
    expect(await Promise.all(children.map((child) => child.ping(10_000)))).toEqual(children.map(() => true));
  });
});

const limits = { memoryBytes: 1 << 28, cpuSeconds: 20, fileSizeBytes: 1 << 20, openFiles: 256, processes: 16_384, valueBytes: 1_024 };

function runProgram(child: Child, code: string): void {
  child.run(
    {
      kind: 'exec', mode: 'admin', limits, policy: { allowedModules: [], blockedModules: [] }, traceparent: null, spans: false, keep: false,
    },
    Buffer.from(JSON.stringify({ code, variables: {} })),
    { onAnswer: () => undefined, onProtocolError: () => undefined },
  ); // prettier-ignore
}

describe('the workspace of a child', () => {
  /** A template, and what it has said of workspaces that are nobody's any more. */
  async function startWatched(): Promise<{ template: Template; vacant: Workspace[] }> {
    const vacant: Workspace[] = [];
    // Nothing contains this one, so where it is gone nothing says that all it had forked went with it.
    const push = (workspace: Workspace): void => void vacant.push(workspace);
    const template = await startTemplate({ onVacant: push, onForsaken: push });
    return { template, vacant };
  }

  it('is its own while it lives, and vacant once, when it has ended', async () => {
    const { template, vacant } = await startWatched();
    const workspaces = await takeWorkspaces(2);
    const [ends, stays] = await Promise.all(workspaces.map((workspace) => template.fork(workspace)));
    expect([ends?.workspace, stays?.workspace, vacant]).toEqual([...workspaces, []]);
    expect(readlinkSync(`/proc/${ends?.pid}/cwd`)).toBe(workspaces[0]?.scratchPath);
    ends?.kill();
    await ends?.exited;
    expect(vacant).toEqual([workspaces[0]]);
    await template.stop();
    expect(vacant).toEqual(workspaces);
  });

  it('is not vacant while a process lives that the child left', async () => {
    const [workspace] = (await takeWorkspaces(1)) as [Workspace];
    const leftAlive: boolean[] = [];
    const onVacant = ({ scratchPath }: Workspace): void => void leftAlive.push(isAlive(Number(readFileSync(join(scratchPath, 'pid')))));
    const child = await (await startTemplate({ onVacant })).fork(workspace);
    runProgram(
      child,
      'import os, signal\nread, write = os.pipe()\npid = os.fork()\nif pid == 0: os.setsid(), os.write(write, b"x"), signal.pause()\nos.read(read, 1)\nopen("pid", "w").write(str(pid))\nos._exit(0)',
    );
    expect((await child.exited).leftovers).toBe(1);
    expect(leftAlive).toEqual([false]);
  });

  it('is vacant where its fork fails, and forsaken where its template is gone', async () => {
    const { template, vacant } = await startWatched();
    process.kill(template.pid, 'SIGSTOP');
    const workspaces = await takeWorkspaces(3);
    const forks = Promise.allSettled(workspaces.slice(0, 2).map((workspace) => template.fork(workspace)));
    expect(vacant).toEqual([]);
    process.kill(template.pid, 'SIGKILL');
    await forks;
    expect(vacant).toEqual(workspaces.slice(0, 2));
    await expect(template.fork(workspaces[2] as Workspace)).rejects.toThrow('gone');
    expect(vacant).toEqual(workspaces);
  });
});
