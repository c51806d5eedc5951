import { execFileSync, spawn } from 'node:child_process';
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, describe, expect, it, jest } from '@jest/globals';
import { EXIT_CODES, ephemeralPorts, isWithin } from '@python3-cluster/shared';
import { Redis } from 'ioredis';
import { listAlive, listDescendants } from '../support/descendants';
import { itIf } from '../support/optional';
import { freePort } from '../support/test-redis';
import { spawnLogged, type TestProcess } from '../support/test-cluster';
import { waitFor } from '../support/wait-for';

const LAUNCHER = join(__dirname, '..', '..', 'scripts', 'launch.mjs');
// Where nothing is installed and a plain user may install nothing, the first start unpacks Redis, Python and bubblewrap.
const UP_TIMEOUT_MS = 150_000;
jest.setTimeout(UP_TIMEOUT_MS + 30_000);

const dataDirectory = mkdtempSync(join(tmpdir(), 'python3-start-'));
const started: TestProcess[] = [];
let port = 0;

afterEach(async () => {
  for (const one of started.splice(0)) await one.stop();
});
afterAll(() => rmSync(dataDirectory, { recursive: true, force: true }));

const environment = (extra: Record<string, string> = {}): NodeJS.ProcessEnv => ({
  PATH: process.env['PATH'],
  HOME: process.env['HOME'],
  PORT: String(port),
  PYTHON3_DATA_DIRECTORY: dataDirectory,
  ...extra,
});

async function start(extra: Record<string, string> = {}): Promise<TestProcess> {
  port = await freePort();
  const launched = spawnLogged(process.execPath, [LAUNCHER, 'start'], environment(extra));
  started.push(launched);
  await waitFor('the welcome', () => {
    if (launched.process.exitCode !== null) throw new Error(`start ended: ${launched.log()}`);
    return launched.log().includes('Ctrl-C stops everything');
  }, UP_TIMEOUT_MS); // prettier-ignore
  return launched;
}

const secret = (name: string): string => readFileSync(join(dataDirectory, 'secrets', name), 'utf8').trim();
const address = (path: string): string => `http://127.0.0.1:${port}${path}`;

const REACHES_FOR_US = `
import urllib.error, urllib.request
from http.client import HTTPConnection
read = []
for path in files:
    try:
        with open(path) as file: read.append([path, len(file.read())])
    except OSError:
        pass
connection = HTTPConnection('127.0.0.1', redis_port, timeout=10)
connection.connect()
connection.sock.sendall(b'KEYS *\\r\\n')
answer = connection.sock.recv(100).decode()
try:
    status = urllib.request.urlopen(api, timeout=10).status
except urllib.error.HTTPError as error:
    status = error.code
result = [read, answer[:7], status]
`;

describe('npm start', () => {
  it('runs a job, prints a curl line that works and a sign-in link that works once, and ends on Ctrl-C with nothing left', async () => {
    const launched = await start();
    expect(launched.log()).toContain('2 ** 100 = 1267650600228229401496703205376');
    expect(launched.log()).toMatch(/solation level [A-C]: code/);
    const curl = /^curl .*$/m.exec(launched.log())?.[0] ?? '';
    expect(execFileSync('/bin/sh', ['-c', curl], { encoding: 'utf8' })).toContain('"result":4.0');

    for (const name of readdirSync(join(dataDirectory, 'secrets')))
      expect({ name, isTold: launched.log().includes(secret(name)) }).toEqual({ name, isTold: false });

    const link = /http:\S+\/sign-in\S+/.exec(launched.log())?.[0] ?? '';
    const first = await fetch(link, { redirect: 'manual' });
    expect(first.status).toBe(303);
    const cookie = first.headers.getSetCookie()[0] ?? '';
    expect(cookie).toMatch(/HttpOnly/i);
    expect(cookie).toMatch(/SameSite=Strict/i);
    const page = await fetch(address('/'), { headers: { cookie: cookie.split(';')[0] ?? '' } });
    expect(await page.text()).toMatch(/admin/);
    expect((await fetch(link, { redirect: 'manual' })).status).toBe(401);

    for (const name of ['admin.key', 'developer.key', 'signing.key', 'redis.password']) {
      expect(statSync(join(dataDirectory, 'secrets', name)).mode & 0o777).toBe(0o600);
    }
    const below = listDescendants(launched.pid);
    expect(below.length).toBeGreaterThanOrEqual(5);
    const commandLines = below.map((pid) => readFileSync(`/proc/${pid}/cmdline`, 'utf8')).join('\n');
    for (const name of readdirSync(join(dataDirectory, 'secrets'))) expect(commandLines).not.toContain(secret(name));
    expect(await launched.stop('SIGINT')).toBe(0);
    expect(launched.log()).toMatch(/SIGINT: stopping\nStopped\.\n$/);
    expect(listAlive(below)).toEqual([]);
  });

  it('gives ADMIN code no way to its secrets, its Redis and its API, which it can connect to', async () => {
    await start();
    const names = ['admin.key', 'developer.key', 'signing.key', 'redis.password', 'redis.url'];
    const variables = {
      files: [...names.map((name) => join(dataDirectory, 'secrets', name)), join(dataDirectory, 'redis', 'redis.conf')],
      redis_port: Number(new URL(secret('redis.url')).port),
      api: address('/api/v1/jobs'),
    };
    const headers = { authorization: `Bearer ${secret('admin.key')}`, 'content-type': 'application/json', prefer: 'wait=20' };
    const body = JSON.stringify({ code: REACHES_FOR_US, mode: 'admin', variables });
    const job = (await (await fetch(address('/api/v1/jobs'), { method: 'POST', headers, body })).json()) as { outcome: object };
    expect(job.outcome).toMatchObject({ status: 'succeeded', value: [[], '-NOAUTH', 401] });
  });

  it('keeps keys and outcomes from one start to the next', async () => {
    const first = await start();
    const key = secret('developer.key');
    const headers = { authorization: `Bearer ${key}`, 'content-type': 'application/json', prefer: 'wait=20' };
    const job = (await (await fetch(address('/api/v1/jobs'), { method: 'POST', headers, body: '{"code":"result = 41 + 1"}' })).json()) as {
      id: string;
    };
    await first.stop();
    const log = (): string => readFileSync(join(dataDirectory, 'logs', 'api.log'), 'utf8');
    const before = log();
    await start();
    expect(log().startsWith(before)).toBe(true);
    expect(secret('developer.key')).toBe(key);
    const again = (await (await fetch(address(`/api/v1/jobs/${job.id}`), { headers })).json()) as { outcome: unknown };
    expect(again.outcome).toMatchObject({ status: 'succeeded', value: 42 });
  });

  it('with lanes of its own, none of them `default`, is up and prints a curl line that works', async () => {
    const launched = await start({ PYTHON3_LANES: 'line-7,vision' });
    expect(launched.log()).toContain('2 ** 100 = 1267650600228229401496703205376');
    const curl = /^curl .*$/m.exec(launched.log())?.[0] ?? '';
    expect(execFileSync('/bin/sh', ['-c', curl], { encoding: 'utf8' })).toContain('"value":4.0');
  });

  it('keeps its Redis on one port, also on another than usual, and on none that ADMIN code may listen on', async () => {
    const redisPort = (): number => Number(new URL(secret('redis.url')).port);
    await start().then((launched) => launched.stop());
    const blocker = createServer().listen(redisPort(), '127.0.0.1');
    const usual = redisPort();
    await start().then((launched) => launched.stop());
    const other = redisPort();
    expect(other).not.toBe(usual);
    blocker.close();
    await start().then((launched) => launched.stop());
    expect(redisPort()).toBe(other);
    const given = ephemeralPorts();
    for (const chosen of [usual, other]) expect(isWithin(chosen, given)).toBe(false);
  });

  it('says at once what Redis said that could not read its files', async () => {
    const copy = mkdtempSync(join(tmpdir(), 'python3-start-'));
    cpSync(dataDirectory, copy, { recursive: true });
    const files = join(copy, 'redis', 'appendonlydir');
    for (const name of readdirSync(files)) if (name.endsWith('.aof')) writeFileSync(join(files, name), 'no append-only file\n'.repeat(50));
    const startedAt = Date.now();
    const launched = spawnLogged(process.execPath, [LAUNCHER, 'start'], environment({ PYTHON3_DATA_DIRECTORY: copy }));
    expect(await new Promise((resolve) => launched.process.once('exit', resolve))).toBe(1);
    expect(launched.log()).toMatch(/Bad file format[^]*REDIS_START_FAILED/);
    expect(Date.now() - startedAt).toBeLessThan(25_000);
    rmSync(copy, { recursive: true, force: true });
  });

  it('refuses a second start in the clone, naming the process, and a taken port, naming it', async () => {
    const launched = await start();
    const second = spawnLogged(process.execPath, [LAUNCHER, 'start'], environment());
    expect(await new Promise((resolve) => second.process.once('exit', resolve))).toBe(1);
    expect(second.log()).toContain(String(launched.pid));
    await launched.stop();
    started.length = 0;

    const blocker = createServer().listen(port, '127.0.0.1');
    const third = spawnLogged(process.execPath, [LAUNCHER, 'start'], environment());
    expect(await new Promise((resolve) => third.process.once('exit', resolve))).toBe(EXIT_CODES.usage);
    expect(third.log()).toContain(String(port));
    blocker.close();
  });

  it('leaves no process when it is killed itself', async () => {
    const launched = await start();
    const below = listDescendants(launched.pid);
    expect(below.length).toBeGreaterThanOrEqual(5);
    launched.process.kill('SIGKILL');
    await waitFor('everything to be gone', () => listAlive(below).length === 0);
  });

  it('leaves no process when its parent is killed', async () => {
    port = await freePort();
    const script = `require('node:child_process').spawn(process.execPath, [${JSON.stringify(LAUNCHER)}, 'start'], { stdio: 'inherit' })`;
    const parent = spawn(process.execPath, ['-e', script], { env: environment(), stdio: ['ignore', 'pipe', 'inherit'] });
    let text = '';
    parent.stdout.on('data', (chunk: Buffer) => (text += chunk.toString()));
    await waitFor('the welcome', () => text.includes('Ctrl-C stops everything'), UP_TIMEOUT_MS);
    const below = listDescendants(parent.pid ?? 0);
    expect(below.length).toBeGreaterThanOrEqual(6);
    parent.kill('SIGKILL');
    await waitFor('everything to be gone', () => listAlive(below).length === 0);
  });

  it('starts again what ends by itself', async () => {
    const launched = await start();
    const victims = listDescendants(launched.pid).filter((pid) =>
      /python3-cluster\.js\0(api|worker)/.test(readFileSync(`/proc/${pid}/cmdline`, 'utf8')),
    );
    expect(victims).toHaveLength(2);
    for (const pid of victims) process.kill(pid, 'SIGKILL');
    const body = JSON.stringify({ code: 'result = 1' });
    const headers = { authorization: `Bearer ${secret('developer.key')}`, 'content-type': 'application/json' };
    await waitFor('an answer again', async () => {
      try {
        const response = await fetch(address('/data/python3integration/api/v1/exec'), { method: 'POST', headers, body });
        return ((await response.json()) as { result?: number }).result === 1;
      } catch {
        return false;
      }
    }, 30_000); // prettier-ignore
  });

  it('is joined by a second worker node with the command of the README', async () => {
    await start();
    const command = join(__dirname, '..', '..', 'packages', 'cli', 'bin', 'python3-cluster.js');
    const secrets = join(dataDirectory, 'secrets');
    const joining = { REDIS_URL_FILE: join(secrets, 'redis.url'), PYTHON3_SIGNING_KEY_FILE: join(secrets, 'signing.key') };
    const worker = spawnLogged(process.execPath, [command, 'worker'], environment(joining));
    started.unshift(worker);
    await waitFor(
      'two worker nodes',
      async () => ((await (await fetch(address('/health'))).json()) as { workers: number }).workers === 2,
      60_000,
    );
    const headers = { authorization: `Bearer ${secret('developer.key')}`, 'content-type': 'application/json', prefer: 'wait=20' };
    const body = JSON.stringify({ code: 'import time\ntime.sleep(0.4)\nresult = 1' });
    // Nobody's, where a busy machine had it wait too long or refused it.
    const post = async (): Promise<{ worker?: string | null }> =>
      (await (await fetch(address('/api/v1/jobs'), { method: 'POST', headers, body })).json()) as { worker?: string | null };
    const seen = new Set<string>();
    await waitFor('jobs on both', async () => {
      for (const { worker: by } of await Promise.all(Array.from({ length: 10 }, post))) if (typeof by === 'string') seen.add(by);
      return seen.size === 2;
    });
    expect(await worker.stop()).toBe(0);
  });

  it('runs a Redis that syncs every write, if PYTHON3_DURABILITY=disk asks for it', async () => {
    await start({ PYTHON3_DURABILITY: 'disk' });
    const redis = new Redis(secret('redis.url'));
    expect(await redis.config('GET', 'appendfsync')).toEqual(['appendfsync', 'always']);
    redis.disconnect();
  });

  it('has no replica to offer', async () => {
    const launched = spawnLogged(process.execPath, [LAUNCHER, 'start'], environment({ PYTHON3_DURABILITY: 'replica' }));
    expect(await new Promise((resolve) => launched.process.once('exit', resolve))).toBe(2);
    expect(launched.log()).toMatch(/PYTHON3_DURABILITY=replica needs .*REDIS_URL/);
  });

  it('says every problem of the settings at once', async () => {
    const launched = spawnLogged(
      process.execPath,
      [LAUNCHER, 'start'],
      environment({ PORT: 'x', PYTHON3_POOL_MIN: '2', PYTHON3_POOLMAX: '4' }),
    );
    expect(await new Promise((resolve) => launched.process.once('exit', resolve))).toBe(2);
    expect(launched.log()).toMatch(/PORT must be/);
    expect(launched.log()).toMatch(/PYTHON3_POOL_MIN must be/);
    expect(launched.log()).toMatch(/did you mean PYTHON3_POOL_MAX/);
  });
});

itIf(process.getuid?.() === 0, 'mounting a small disk needs root')('a full disk under .data hangs nothing: health answers, and all of it ends when it is told to', async () => {
  const disk = mkdtempSync(join(tmpdir(), 'python3-start-'));
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=24m', 'tmpfs', disk]);
  try {
    const launched = await start({ PYTHON3_DATA_DIRECTORY: disk, PYTHON3_LOG_LEVEL: 'trace', PYTHON3_DRAIN_SECONDS: '2' });
    const headers = { authorization: `Bearer ${readFileSync(join(disk, 'secrets', 'developer.key'), 'utf8').trim()}`, 'content-type': 'application/json', prefer: 'wait=5' };
    const post = (): Promise<Response> => fetch(address('/api/v1/jobs'), { method: 'POST', headers, body: '{"code":"result = 1"}' });
    const fill = (): void => {
      try {
        for (let file = 0; ; file += 1) writeFileSync(join(disk, `filler-${file}`), Buffer.alloc(1_048_576));
      } catch (error) {
        expect((error as NodeJS.ErrnoException).code).toBe('ENOSPC');
      }
    };
    const empty = (): void => readdirSync(disk).filter((name) => name.startsWith('filler')).forEach((name) => rmSync(join(disk, name)));
    fill();
    // Until Redis has noticed, and what is logged finds no room.
    await waitFor('a refusal', async () => (await post()).status === 503);
    for (let request = 0; request < 300; request += 1) expect((await fetch(address('/health/live'))).status).toBe(200);
    empty();
    await waitFor('jobs to run again', async () => (await post()).status === 200, 30_000);
    fill();
    await waitFor('a refusal again', async () => (await post()).status === 503);
    const below = listDescendants(launched.pid);
    const ended = launched.stop('SIGINT');
    await waitFor('everything to be gone', () => listAlive(below).length === 0, 60_000);
    expect(await ended).toBe(0);
  } finally {
    for (const one of started.splice(0)) await one.stop();
    execFileSync('umount', ['--lazy', disk]);
    rmSync(disk, { recursive: true, force: true });
  }
}); // prettier-ignore

describe('doctor', () => {
  it('tells what it found, and fails where something is missing', () => {
    const command = join(__dirname, '..', '..', 'packages', 'cli', 'bin', 'python3-cluster.js');
    const text = execFileSync(process.execPath, [command, 'doctor'], {
      env: environment({ REDIS_URL: process.env['PYTHON3_TEST_REDIS_URL'] ?? '' }),
      encoding: 'utf8',
    });
    expect(text).toMatch(/(ok|warn)\s+Python/);
    expect(text).toMatch(/ok\s+Redis eviction\s+noeviction/);
    expect(() =>
      execFileSync(process.execPath, [command, 'doctor'], { env: environment({ REDIS_URL: 'redis://127.0.0.1:1/0' }), stdio: 'pipe' }),
    ).toThrow(/status|Command failed/);
  });
});
