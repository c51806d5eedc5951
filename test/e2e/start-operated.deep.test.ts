import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, afterEach, expect, it, jest } from '@jest/globals';
import { listAlive, listDescendants } from '../support/descendants';
import { freePort } from '../support/test-redis';
import { spawnLogged, type TestProcess } from '../support/test-cluster';
import { waitFor } from '../support/wait-for';

/** `npm start`, as somebody at a terminal operates it. */
const LAUNCHER = join(__dirname, '..', '..', 'scripts', 'launch.mjs');
const UP_TIMEOUT_MS = 150_000;
jest.setTimeout(UP_TIMEOUT_MS + 30_000);

const dataDirectory = mkdtempSync(join(tmpdir(), 'python3-start-'));
let launched: TestProcess | undefined;
let port = 0;
afterEach(() => launched?.stop());
afterAll(() => rmSync(dataDirectory, { recursive: true, force: true }));

const environment = (extra: Record<string, string> = {}): NodeJS.ProcessEnv => ({
  PATH: process.env['PATH'],
  HOME: process.env['HOME'],
  PORT: String(port),
  PYTHON3_DATA_DIRECTORY: dataDirectory,
  ...extra,
});

/** In a process group of its own, which a terminal's Ctrl-C reaches as a whole. */
async function start(extra: Record<string, string> = {}): Promise<TestProcess> {
  port = await freePort();
  const starting = spawnLogged(process.execPath, [LAUNCHER, 'start'], environment(extra), undefined, { detached: true });
  launched = starting;
  await waitFor('the welcome', () => {
    if (starting.process.exitCode !== null) throw new Error(`start ended: ${starting.log()}`);
    return starting.log().includes('Ctrl-C stops everything');
  }, UP_TIMEOUT_MS); // prettier-ignore
  return starting;
}

const secret = (name: string): string => readFileSync(join(dataDirectory, 'secrets', name), 'utf8').trim();
const address = (path: string): string => `http://127.0.0.1:${port}${path}`;

it('says on Ctrl-C what it waits for, and ends it at once on the second', async () => {
  const running = await start();
  const below = listDescendants(running.pid);
  const headers = { authorization: `Bearer ${secret('admin.key')}`, 'content-type': 'application/json' };
  const body = JSON.stringify({ code: 'import time\ntime.sleep(300)', mode: 'admin', timeoutMs: 600_000, delivery: 'at-most-once' });
  await fetch(address('/api/v1/jobs'), { method: 'POST', headers, body });
  await waitFor(
    'the job to run',
    async () => ((await (await fetch(address('/health'))).json()) as { slots: { inUse: number } }).slots.inUse === 1,
  );
  // As a terminal does it: to the whole foreground group.
  process.kill(-running.pid, 'SIGINT');
  await waitFor('the words', () => /SIGINT: waiting for 1 running job, up to \d+ s; press Ctrl-C again to end it now/.test(running.log()));
  // The echo of a signal is none of its own.
  await pause(1_000);
  expect(running.process.exitCode).toBe(null);
  process.kill(-running.pid, 'SIGINT');
  const code = await running.stop('SIGWINCH');
  expect({ code, end: running.log().trim().split('\n').slice(-2) }).toEqual({ code: 3, end: ['ending what still runs', 'Stopped. What still ran was ended.'] }); // prettier-ignore
  expect(listAlive(below)).toEqual([]);
});

it('is found by doctor, top, sign-in and the examples without being told where it is, and left alone once it has ended', async () => {
  const running = await start({ PORT: '0' });
  const command = join(__dirname, '..', '..', 'packages', 'cli', 'bin', 'python3-cluster.js');
  // Nothing of it is set but the folder, and that is a setting of the clone only in tests.
  const here = { ...environment(), PORT: '', NO_COLOR: '1' };
  const run = (file: string, ...args: string[]) => spawnSync(process.execPath, [file, ...args], { env: here, cwd: tmpdir(), encoding: 'utf8' });
  const { address: told } = JSON.parse(readFileSync(join(dataDirectory, 'api.json'), 'utf8')) as { address: string };
  expect(running.log()).toContain(`Address   ${told}`);
  expect(run(command, 'top', '--once').stdout).toMatch(new RegExp(`^python3-cluster  ${told}  ok `));
  expect(run(command, 'sign-in').stdout).toMatch(new RegExp(`^${told}/sign-in\\?token=`));
  expect(run(join(__dirname, '..', '..', 'examples', 'temperature.mjs')).stdout).toMatch(/^60 readings, 5 hours, 1 beyond 4 sigma/);
  const examined = run(command, 'doctor').stdout;
  expect(examined).toMatch(new RegExp(`^ok +API +${told} \\S+ is ok$`, 'm'));
  expect(examined).toMatch(/^ok +Worker node +\S+, level [A-C], \d+ of \d+ slots in use, lanes default$/m);
  expect(examined).toMatch(/^ok +Lane +default: 1 node, 0 waiting$/m);
  expect(examined).toMatch(/^(ok {2}|warn) +Memory +[\d.]+ GiB for \d+ slots: \d+ MiB each/m);
  const lines = examined.split('\n');
  lines.forEach((line, index) => line.startsWith('warn') && expect(lines[index + 1]).toMatch(/^ +do: \S/));
  await running.stop();
  expect(existsSync(join(dataDirectory, 'api.json'))).toBe(false);
  expect(run(command, 'doctor').stdout).toMatch(/^ok +Cluster +none runs here/m);
}); // prettier-ignore
