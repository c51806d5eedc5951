import { execFileSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, afterEach, beforeEach, expect, it, jest } from '@jest/globals';
import { freePort } from '../support/test-redis';
import { spawnLogged, type TestProcess } from '../support/test-cluster';
import { waitFor } from '../support/wait-for';

/** A clone as `git clone` makes it, beside a stand-in for npm that takes packages from here instead of from a registry. */
const repository = join(__dirname, '..', '..');
const folder = mkdtempSync(join(tmpdir(), 'python3-first-'));
const clone = join(folder, 'clone');
const asked = join(folder, 'npm-was-asked');
const UP_TIMEOUT_MS = 120_000;
jest.setTimeout(UP_TIMEOUT_MS + 30_000);

interface LockedPackage {
  readonly link?: boolean;
  readonly resolved?: string;
  readonly dev?: boolean;
  readonly devOptional?: boolean;
}

const lock = JSON.parse(readFileSync(join(repository, 'package-lock.json'), 'utf8')) as { packages: Record<string, LockedPackage> };
const started: TestProcess[] = [];

beforeEach(() => {
  rmSync(clone, { recursive: true, force: true });
  rmSync(asked, { force: true });
  for (const name of ['package.json', 'package-lock.json', 'tsconfig.json', 'tsconfig.base.json', 'scripts', 'python/runner'])
    cpSync(join(repository, name), join(clone, name), { recursive: true });
  for (const name of readdirSync(join(repository, 'packages')))
    for (const part of ['package.json', 'tsconfig.json', 'src', ...(name === 'cli' ? ['bin'] : [])])
      cpSync(join(repository, 'packages', name, part), join(clone, 'packages', name, part), { recursive: true });
});
afterEach(async () => {
  for (const one of started.splice(0)) await one.stop('SIGINT');
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Writes down what it was asked for, and does `ci` and `install` by links to the packages here, one after the other. */
const NPM = `
const { appendFileSync, cpSync, existsSync, mkdirSync, readFileSync, symlinkSync } = require('node:fs');
const { dirname, join, relative, resolve } = require('node:path');
appendFileSync(${JSON.stringify(asked)}, JSON.stringify(process.argv.slice(2)) + '\\n');
const { packages } = JSON.parse(readFileSync('package-lock.json', 'utf8'));
const withDev = process.argv.includes('--include=dev');
(async () => {
  for (const [path, entry] of Object.entries(packages)) {
    const isTop = /^node_modules\\/(@[^/]+\\/)?[^/]+$/.test(path);
    if (!isTop || existsSync(path) || ((entry.dev || entry.devOptional) && !withDev)) continue;
    const from = entry.link ? resolve(entry.resolved) : join(${JSON.stringify(repository)}, path);
    mkdirSync(dirname(path), { recursive: true });
    if (existsSync(from)) symlinkSync(from, path);
    if (Object.keys(packages).indexOf(path) % 20 === 0) await new Promise((resolve) => setTimeout(resolve, 300));
  }
  cpSync(join(${JSON.stringify(repository)}, 'node_modules/.package-lock.json'), 'node_modules/.package-lock.json');
})();`;

async function launch(program: string, extra: Record<string, string> = {}): Promise<TestProcess> {
  const npm = join(folder, 'npm-cli.js');
  writeFileSync(npm, NPM);
  const env = {
    PATH: process.env['PATH'], HOME: process.env['HOME'], npm_execpath: npm, PORT: String(await freePort()), ...extra,
  }; // prettier-ignore
  const launched = spawnLogged(process.execPath, [join(clone, 'scripts', 'launch.mjs'), program], env, clone);
  started.push(launched);
  return launched;
}

const askedOf = (): string[][] =>
  readFileSync(asked, 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as string[]);
const hasModule = (name: string): boolean => existsSync(join(clone, 'node_modules', name));

/** The files that were compiled, and the names that the package's front has, as Node loads them. */
function builtOf(root: string, name: string): object {
  const dist = join(root, 'packages', name, 'dist');
  const sources = readdirSync(join(root, 'packages', name, 'src'), { recursive: true, encoding: 'utf8' });
  const files = sources.filter((file) => /(?<!\.test|\.d)\.ts$/.test(file)).map((file) => file.replace(/ts$/, 'js'));
  const program = `console.log(JSON.stringify(Object.keys(require(${JSON.stringify(join(dist, 'index.js'))})).sort()))`;
  const names = JSON.parse(execFileSync(process.execPath, ['-e', program], { encoding: 'utf8' })) as string[];
  return { missing: files.filter((file) => !existsSync(join(dist, file))), names };
}

it('the first npm start of a clone installs what runs and no more, builds without TypeScript, says how far it is, and answers a job', async () => {
  const launched = await launch('start');
  await waitFor('the welcome', () => {
    if (launched.process.exitCode !== null) throw new Error(`start ended: ${launched.log()}`);
    return launched.log().includes('Ctrl-C stops everything');
  }, UP_TIMEOUT_MS); // prettier-ignore
  expect(askedOf()).toEqual([['ci', '--omit=dev', '--ignore-scripts', '--no-audit', '--no-fund']]);
  expect([hasModule('express'), hasModule('typescript'), hasModule('jest')]).toEqual([true, false, false]);
  expect(launched.log()).toMatch(/^Installing \d+ packages \(npm ci\) …\n(?: {2}\d+ of \d+ packages, \d+ s\n)+Building …\n/m);
  expect(launched.log()).toMatch(/First job: 2 \*\* 100 = 1267650600228229401496703205376.* Up after \d+\.\d s \(packages \d/);
  for (const name of ['shared', 'api', 'worker', 'cli'])
    expect({ name, ...builtOf(clone, name) }).toEqual({ name, ...builtOf(repository, name) });
});

it('what tests and checks need is added to that, and nothing is taken away from a running cluster', async () => {
  const modules = join(clone, 'node_modules');
  mkdirSync(modules);
  for (const [path, entry] of Object.entries(lock.packages)) {
    if (!/^node_modules\/(@[^/]+\/)?[^/]+$/.test(path) || entry.dev || entry.devOptional) continue;
    const from = entry.link ? join(clone, entry.resolved ?? '') : join(repository, path);
    mkdirSync(dirname(join(clone, path)), { recursive: true });
    if (existsSync(from)) symlinkSync(from, join(clone, path));
  }
  cpSync(join(repository, 'node_modules/.package-lock.json'), join(modules, '.package-lock.json'));
  // Nothing to install: what is there is believed, and marked as what it is.
  const first = await launch('start');
  await waitFor('the build', () => first.log().includes('Starting'), UP_TIMEOUT_MS);
  await first.stop('SIGINT');
  expect(existsSync(asked)).toBe(false);

  // Ends at once, as this clone has no soak test; but not before its tools are there.
  const second = await launch('soak');
  await waitFor('its end', () => second.process.exitCode !== null, UP_TIMEOUT_MS);
  expect(askedOf()).toEqual([['install', '--include=dev', '--no-save', '--ignore-scripts', '--no-audit', '--no-fund']]);
  expect([hasModule('express'), hasModule('typescript'), hasModule('jest')]).toEqual([true, true, true]);
  expect(readFileSync(join(clone, '.data', 'build.stamp'), 'utf8')).toMatch(/ whole$/);
});
