import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { loadConfig } from '@python3-cluster/shared';
import { BuildContext } from './build-context';
import { repository } from './compose-file';
import { copySources, environmentOf, execForm, instructionsOf, parseDockerfile } from './dockerfile';

const read = (path: string): string => readFileSync(join(repository, path), 'utf8');
const stages = parseDockerfile(read('deploy/docker/Dockerfile'));
const context = new BuildContext(read('.dockerignore'));
const finalStages = stages.filter(({ name }) => name !== 'build').map((stage) => [stage.name, stage] as const);
const copies = stages.flatMap((stage) => instructionsOf(stage, 'COPY').map((copy) => ({ stage, copy, ...copySources(copy) })));

describe('the Dockerfile', () => {
  it('builds once and makes the images api and worker from Node 24 on Debian 12', () => {
    expect(stages.map(({ name }) => name)).toEqual(['build', 'api', 'worker']);
    expect(new Set(stages.map(({ image }) => image))).toEqual(new Set(['node:24-bookworm-slim']));
  });

  it.each(finalStages)('the image %s names its user: nobody of the host, and root where it gives others users', (name, stage) => {
    const users = instructionsOf(stage, 'USER').map(({ text }) => text);
    expect(users).toHaveLength(1);
    expect(users[0]).toMatch(name === 'worker' ? /^0:0$/ : /^[1-9]\d{4}:[1-9]\d{4}$/);
    const words = stage.instructions.map(({ word }) => word);
    expect(words.slice(words.indexOf('USER'))).not.toContain('RUN');
  });

  it('the images run as different users', () => {
    const users = finalStages.flatMap(([, stage]) => instructionsOf(stage, 'USER').map(({ text }) => text));
    expect(new Set(users).size).toBe(users.length);
  });

  it.each(finalStages)('the image %s starts Node without a shell between, so that signals reach it', (name, stage) => {
    expect(execForm(stage, 'ENTRYPOINT')).toEqual(['node', '/app/packages/cli/bin/python3-cluster.js']);
    expect(execForm(stage, 'CMD')).toEqual([name]);
  });

  it.each(finalStages)('the image %s has a health check that exists', (name, stage) => {
    const [program, script = ''] = execForm(stage, 'HEALTHCHECK');
    expect(program).toBe('node');
    expect(script).toBe(`/app/deploy/docker/${name}-health.mjs`);
    expect(existsSync(join(repository, script.replace('/app/', '')))).toBe(true);
  });

  it.each(finalStages)('the image %s sets only settings that exist', (_, stage) => {
    expect(loadConfig(environmentOf(stage)).warnings).toEqual([]);
  });

  it('copies only what the build sees or an earlier stage made', () => {
    const seen = context.list(repository);
    for (const { stage, copy, sources } of copies) {
      if (copy.flags['from'] !== undefined) {
        expect(stages.slice(0, stages.indexOf(stage)).map(({ name }) => name)).toContain(copy.flags['from']);
        continue;
      }
      for (const source of sources) {
        const found = seen.some((path) => path === source || path.startsWith(`${source}/`));
        expect({ source, found }).toEqual({ source, found: true });
      }
    }
  });

  it('copies the manifest of every package before it installs', () => {
    const build = stages[0];
    const words = build?.instructions.map(({ word, text }) => (word === 'RUN' ? text : word)) ?? [];
    const before =
      build?.instructions.slice(
        0,
        words.findIndex((word) => word.startsWith('npm ci')),
      ) ?? [];
    const manifests = before.filter(({ word }) => word === 'COPY').flatMap((copy) => copySources(copy).sources);
    const packages = readdirSync(join(repository, 'packages')).filter((name) =>
      existsSync(join(repository, 'packages', name, 'package.json')),
    );
    expect(manifests).toEqual(expect.arrayContaining(packages.map((name) => `packages/${name}/package.json`)));
  });

  it('the worker has pip, and installs what a file and a build argument name before it becomes a node', () => {
    const worker = stages.find(({ name }) => name === 'worker');
    const runs = worker === undefined ? [] : instructionsOf(worker, 'RUN').map(({ text }) => text);
    expect(runs.some((text) => /apt-get install .*python3-pip/.test(text))).toBe(true);
    const install = runs.find((text) => text.includes('pip install')) ?? '';
    expect(install).toMatch(/^python3 -m pip install .*-r deploy\/docker\/requirements\.txt \$\{PYTHON_PACKAGES\}$/);
    expect(read('deploy/docker/requirements.txt').replace(/^#.*$/gm, '').trim()).toBe('');
    expect(context.includes('deploy/docker/requirements.txt')).toBe(true);
  });

  it('runs no install script of a package', () => {
    const npm = stages.flatMap((stage) => instructionsOf(stage, 'RUN')).filter(({ text }) => /npm (ci|prune|install)/.test(text));
    expect(npm.length).toBeGreaterThan(0);
    for (const { text } of npm) expect(text).toContain('--ignore-scripts');
  });
});

describe('the build context', () => {
  it.each([
    '.env',
    'packages/api/.env',
    '.data/secrets/admin.key',
    '.git/config',
    'node_modules/ajv/package.json',
    'test/x.ts',
    'packages/cli/dist/main.js',
  ])('leaves out %s', (path) => expect(context.includes(path)).toBe(false));

  it.each(['package.json', 'packages/cli/bin/python3-cluster.js', 'packages/shared/src/index.ts', 'python/runner/__main__.py'])(
    'holds %s',
    (path) => expect(context.includes(path)).toBe(true),
  );
});
