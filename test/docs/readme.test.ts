import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, it } from '@jest/globals';

const root = join(__dirname, '..', '..');
const read = (path: string): string => readFileSync(join(root, path), 'utf8');
const pages = ['README.md', 'ARCHITECTURE.md', 'CONTRIBUTING.md', 'SECURITY.md', 'CHANGELOG.md', 'bench/README.md', ...listPages('docs')];

function listPages(folder: string): string[] {
  return readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.md'))
    .map((name) => `${folder}/${name}`);
}

describe('the README', () => {
  const lines = read('README.md').split('\n');

  it('reaches a command before line 25 and fits in 150 lines', () => {
    expect(lines.findIndex((line) => line.trim() === 'npm start')).toBeLessThan(25);
    expect(lines.length).toBeLessThanOrEqual(150);
  });

  it('names only npm scripts that exist', () => {
    const scripts = Object.keys((JSON.parse(read('package.json')) as { scripts: object }).scripts);
    const named = [...read('README.md').matchAll(/npm (?:run )?(\w+)/g)].map((match) => match[1] ?? '').filter((name) => name !== 'ci');
    for (const name of named) if (name !== 'and') expect(scripts).toContain(name);
  });

  it('says that containment depends on the host, and how to see what there is', () => {
    expect(read('README.md')).toMatch(/How well code is contained depends on the host[^]*python3-cluster doctor/);
  });
});

it('every dependency has its reason on one page', () => {
  const reasons = read('docs/decisions/dependencies.md');
  for (const folder of ['.', ...readdirSync(join(root, 'packages')).map((name) => `packages/${name}`)]) {
    const { dependencies = {}, devDependencies = {} } = JSON.parse(read(`${folder}/package.json`)) as Record<string, object | undefined>;
    const names = Object.keys({ ...dependencies, ...devDependencies }).filter((name) => !name.startsWith('@python3-cluster/'));
    for (const name of names) expect({ name, explained: new RegExp(`[| ]${name}[ ,|]`).test(reasons) }).toEqual({ name, explained: true });
  }
});

describe.each(pages)('%s', (page) => {
  it('has no link into nowhere', () => {
    const targets = [...read(page).matchAll(/\]\(([^)#\s]+)[^)]*\)/g)]
      .map((match) => match[1] ?? '')
      .filter((target) => !/^[a-z]+:/.test(target));
    for (const target of targets)
      expect({ target, exists: existsSync(join(root, dirname(page), target)) }).toEqual({ target, exists: true });
  });

  it('speaks of the project only', () => {
    expect(read(page)).not.toMatch(/\.\.\/shared|\/work\/|pyenv/);
  });
});
