import { mkdtempSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { childrenOf, isAlive, StagedRunner } from '../../../../test/contracts/staged-runner';
import { waitFor } from '../../../../test/support/wait-for';
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
    const child = await template.fork();
    await template.stop();
    expect([isAlive(template.pid), isAlive(child.pid), template.lost]).toEqual([false, false, true]);
    await template.stop();
  });

  it('that is killed takes its children along, and is reported once', async () => {
    const template = await startTemplate();
    const [idle, busy] = await Promise.all([template.fork(), template.fork()]);
    expect([idle.state, busy.state]).toEqual(['idle', 'idle']);
    lost.length = 0;
    process.kill(template.pid, 'SIGKILL');
    expect((await idle.exited).signal).toBe(9);
    expect((await busy.exited).signal).toBe(9);
    await waitFor('the processes to be gone', () => ![template.pid, idle.pid, busy.pid].some(isAlive));
    expect(lost).toEqual([template]);
    await expect(template.fork()).rejects.toThrow('gone');
    await template.stop();
    expect(await template.ping(20)).toBe(false);
    expect(lost).toHaveLength(1);
  });

  it('that is killed while it forks fails those forks', async () => {
    const template = await startTemplate();
    process.kill(template.pid, 'SIGSTOP');
    const forks = Promise.allSettled([template.fork(), template.fork(), template.fork()]);
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
    const child = await (await startTemplate()).fork();
    child.kill();
    expect(await child.exited).toMatchObject({ exitCode: null, signal: 9 });
    expect(isAlive(child.pid)).toBe(false);
  });

  it('among many is each its own', async () => {
    const template = await startTemplate();
    const children = await Promise.all(Array.from({ length: 12 }, () => template.fork()));
    expect(new Set(children.map(({ pid }) => pid)).size).toBe(12);
    expect([...childrenOf(template.pid)].sort()).toEqual(children.map(({ pid }) => pid).sort());
    expect(await Promise.all(children.map((child) => child.ping(10_000)))).toEqual(children.map(() => true));
  });
});
