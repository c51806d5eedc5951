import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, it } from '@jest/globals';
import { call, exec } from '../support/call';
import { TerminalSession } from '../support/terminal-session';
import { ADMIN_KEY, DEVELOPER_KEY, SIGNING_KEY, TestCluster } from '../support/test-cluster';
import { waitFor } from '../support/wait-for';

const COMMAND = join(__dirname, '..', '..', 'packages', 'cli', 'bin', 'python3-cluster.js');
let cluster: TestCluster;
let folder: string;
let keyFile: string;
const sessions: TerminalSession[] = [];
const environment = { PATH: process.env['PATH'], TERM: 'xterm-256color', LANG: 'C.UTF-8' };

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'p3-top-'));
  keyFile = join(folder, 'developer.key');
  writeFileSync(keyFile, `${DEVELOPER_KEY}\n`);
  cluster = await TestCluster.start({ settings: { PYTHON3_NODE_NAME: 'press-4', PYTHON3_POOL_MAX: '3' } });
}, 60_000);
afterEach(() => sessions.splice(0).forEach((session) => session.end()));
afterAll(async () => {
  rmSync(folder, { recursive: true, force: true });
  await cluster.stop();
});

interface Printed {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Not in a terminal, as a script runs it. */
const top = (...args: string[]): Promise<Printed> => topWith({}, ...args);
const topWith = (settings: Record<string, string>, ...args: string[]): Promise<Printed> => commandWith(settings, 'top', ...args);

function commandWith(settings: Record<string, string>, ...args: string[]): Promise<Printed> {
  return new Promise((resolve) =>
    execFile(process.execPath, [COMMAND, ...args], { cwd: folder, env: { ...environment, ...settings } }, (error, stdout, stderr) =>
      resolve({ code: typeof error?.code === 'number' ? error.code : 0, stdout, stderr }),
    ),
  );
}

function watch(url: string, size = { columns: 100, rows: 30 }, key = keyFile): TerminalSession {
  const session = new TerminalSession(size, [process.execPath, COMMAND, 'top', '--url', url, '--key-file', key], environment);
  sessions.push(session);
  return session;
}

/** A server that says whatever it likes. */
async function serve(
  answer: (path: string) => { status?: number; headers?: Record<string, string>; body: string },
): Promise<[Server, string]> {
  const server = createServer((request, response) => {
    const { status = 200, headers = {}, body } = answer(request.url ?? '');
    response.writeHead(status, headers).end(body);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return [server, `http://127.0.0.1:${(server.address() as AddressInfo).port}`];
}

it('prints the cluster once, with exit code 0 and no escape sequences', async () => {
  await exec(cluster, 'result = 1');
  await exec(cluster, 'raise ValueError("x")');
  const { code, stdout } = await waitFor('both jobs', async () => {
    const printed = await top('--once', '--url', cluster.url('/'), '--key-file', keyFile);
    return /succeeded 1 .*failed 1 /.test(printed.stdout) && printed;
  });
  expect(code).toBe(0);
  expect(stdout).not.toContain('\u001b');
  expect(stdout).toMatch(new RegExp(`^python3-cluster  ${cluster.url()}  ok  isolation [A-D]`));
  expect(stdout).toMatch(/^default +1 /m);
  expect(stdout).toMatch(/^press-4-\w+ +[A-D] +\[ *\|* *\] +\d\/3 /m);
});

it('shows it live in a terminal, follows its size, and leaves the terminal as it was', async () => {
  const session = watch(cluster.url());
  await waitFor('the figures', () => session.screen.some((line) => line.startsWith('press-4-')));
  expect(session.output.startsWith('\u001b[?1049h\u001b[?25l')).toBe(true);
  await exec(cluster, 'result = 2');
  await waitFor('the job', () => session.screen.some((line) => /succeeded 2 /.test(line)));
  session.resize(40, 8);
  await waitFor('a smaller picture', () => session.screen.length <= 8 && session.screen.every((line) => line.length <= 40));
  session.type('q');
  expect(await session.exited).toBe(0);
  expect(session.output.endsWith('\u001b[?7h\u001b[?25h\u001b[?1049l')).toBe(true);
});

it.each([['Ctrl-C', (session: TerminalSession) => session.type('\u0003')], ['SIGTERM', (session: TerminalSession) => session.signal('SIGTERM')]])('%s ends it in order, too, and not only between two readings', async (_, end) => {
  const [server, url] = await serve(() => ({ body: '' }));
  // Takes requests and never answers.
  server.removeAllListeners('request');
  const session = watch(url);
  await waitFor('the screen', () => session.output.includes('\u001b[?1049h'));
  end(session);
  expect(await session.exited).toBe(0);
  expect(session.output).toContain('\u001b[?25h\u001b[?1049l');
  server.closeAllConnections();
  server.close();
}); // prettier-ignore

it('says that the API cannot be reached, goes on trying, and goes on when it is there', async () => {
  let isThere = false;
  const [server, url] = await serve(() => ({ status: isThere ? 200 : 503, body: isThere ? '{"status":"ok","redis":{"writable":true},"breaker":"closed"}' : '{}' }));
  const session = watch(url);
  await waitFor('it to be said', () => session.screen.some((line) => line.includes('/health: refused (503)')));
  isThere = true;
  await waitFor('the figures', () => session.screen[0]?.includes('  ok  ') === true);
  server.closeAllConnections();
  server.close();
  await waitFor('it to be said again', () => session.screen.some((line) => line.includes('cannot be reached: ECONNREFUSED (for ')));
  session.type('q');
  expect(await session.exited).toBe(0);
}); // prettier-ignore

it('shows what runs and whose it is, explains itself, and cancels a job after a question', async () => {
  const code = 'import time\ntime.sleep(120)';
  const { id } = (await call(cluster, '/api/v1/jobs', { code, mode: 'admin', timeoutMs: 200_000 }, { key: ADMIN_KEY })).json as { id: string };
  const stateOf = async (): Promise<string> => ((await call(cluster, `/api/v1/jobs/${id}`, undefined, { key: ADMIN_KEY })).json as { state: string }).state;
  const adminFile = join(folder, 'admin.key');
  writeFileSync(adminFile, `${ADMIN_KEY}\n`);
  const session = watch(cluster.url(), { columns: 200, rows: 40 }, adminFile);
  await waitFor('the job', () => session.screen.some((line) => line.includes(id) && / admin +default /.test(line)));
  // A developer key shows what is its own.
  const others = await top('--once', '--url', cluster.url(), '--key-file', keyFile);
  expect(others.stdout).not.toContain(id);
  session.type('h');
  await waitFor('the help', () => session.screen.some((line) => line.includes('cancel the job that is marked')));
  session.type('h');
  await waitFor('the picture', () => session.screen.some((line) => line.includes(id)));
  session.type('jc');
  await waitFor('the question', () => session.screen.some((line) => line.startsWith(`Cancel ${id} of `)));
  session.type('n');
  await waitFor('no question', () => !session.screen.some((line) => line.startsWith('Cancel ')));
  expect(await stateOf()).toBe('active');
  session.type('c');
  await waitFor('the question', () => session.screen.some((line) => line.startsWith(`Cancel ${id} of `)));
  session.type('y');
  await waitFor('the answer', () => session.screen.some((line) => line.includes(`${id} is cancelled`)));
  await waitFor('its end', async () => (await stateOf()) === 'finished');
  await waitFor('nothing to run', () => !session.screen.some((line) => line.startsWith('> ') && line.includes(id)));
  session.type('q');
  expect(await session.exited).toBe(0);
}); // prettier-ignore

it('finds the cluster of its own settings and has no key for any other, not even for one that passes its question on', async () => {
  const port = new URL(cluster.url()).port;
  const settings = { PORT: port, PYTHON3_SIGNING_KEY: SIGNING_KEY, PYTHON3_ADMIN_APIKEY: ADMIN_KEY, PYTHON3_DATA_DIRECTORY: folder };
  const found = await topWith(settings, '--once');
  expect([found.code, found.stdout]).toEqual([0, expect.stringMatching(new RegExp(`^python3-cluster  ${cluster.url()}  ok `))]);
  const seen: string[] = [];
  const relay = createServer((request, response) => {
    seen.push(JSON.stringify([request.headers.authorization, request.headers['x-api-key']]));
    void fetch(cluster.url(request.url)).then(async (answer) => response.writeHead(answer.status).end(await answer.text()));
  });
  await new Promise<void>((resolve) => relay.listen(0, '127.0.0.1', resolve));
  const foreignPort = String((relay.address() as AddressInfo).port);
  for (const args of [['--once'], ['--once', '--url', `http://127.0.0.1:${foreignPort}`]]) {
    const refused = await topWith({ ...settings, PORT: foreignPort }, ...args);
    expect([refused.code, refused.stderr]).toEqual([1, expect.stringContaining('is not this cluster')]);
  }
  expect(seen).toEqual(['[null,null]', '[null,null]']);
  relay.close();
  const nobody = await topWith({ ...settings, PYTHON3_SIGNING_KEY: 'another-signing-key-0123456789abcdefgh' }, '--once');
  expect([nobody.code, nobody.stderr]).toEqual([1, expect.stringContaining('is not this cluster')]);
}); // prettier-ignore

it('sign-in prints a link for a replica that runs, which signs in one browser once', async () => {
  const settings = { PORT: new URL(cluster.url()).port, PYTHON3_SIGNING_KEY: SIGNING_KEY, PYTHON3_DATA_DIRECTORY: folder };
  const { code, stdout } = await commandWith(settings, 'sign-in');
  expect([code, stdout]).toEqual([0, expect.stringMatching(new RegExp(`^${cluster.url()}/sign-in\\?token=\\S+\n$`))]);
  const use = (): Promise<Response> => fetch(stdout.trim(), { redirect: 'manual' });
  expect([(await use()).status, (await use()).status]).toEqual([303, 401]);
  const elsewhere = await commandWith(settings, 'sign-in', '--url', 'https://python.plant');
  expect(elsewhere.stdout).toMatch(/^https:\/\/python\.plant\/sign-in\?token=/);
  const none = await commandWith({ ...settings, PORT: '1' }, 'sign-in');
  expect([none.code, none.stderr]).toEqual([1, expect.stringContaining('CLUSTER_NOT_FOUND')]);
});

it('what a hostile server answers moves no cursor, and its names stay text', async () => {
  const evil = '\u001b]0;owned\u0007\u001b[2J\u009b5n\u202e';
  const [server, url] = await serve((path) => ({ body: JSON.stringify(path === '/health' ? { status: evil, breaker: evil } : { lanes: [{ lane: evil }], workers: [{ id: evil, lanes: [evil], pool: null }, 5], active: [{ name: evil, message: evil }], jobs: evil }) }));
  const { stdout, stderr } = await top('--once', '--url', url, '--key-file', keyFile);
  // eslint-disable-next-line no-control-regex -- they are what must not be there
  expect(stdout + stderr).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202a-\u202e]/);
  expect(stdout).toContain('?]0;owned?');
  server.close();
}); // prettier-ignore

it('the key goes to no other address, and not on a redirect', async () => {
  const seen: string[] = [];
  const [other, otherUrl] = await serve((path) => (seen.push(path), { body: '{}' }));
  const [server, url] = await serve((path) => ({ status: 307, headers: { location: otherUrl + path }, body: '' }));
  const { code, stderr } = await top('--once', '--url', url, '--key-file', keyFile);
  expect([code, seen]).toEqual([1, []]);
  expect(stderr).toContain('cannot be reached');
  other.close();
  server.close();
});

it('refuses what it cannot work with, and says why', async () => {
  const refused = await top('--once', '--url', 'ftp://x', '--key-file', keyFile);
  expect([refused.code, refused.stderr]).toEqual([2, expect.stringContaining('http:// or https://')]);
  const keyless = await top('--once', '--url', cluster.url(), '--key-file', join(folder, 'none.key'));
  expect([keyless.code, keyless.stderr]).toEqual([2, expect.stringContaining('none.key (ENOENT); name its file by --key-file')]);
  const piped = await top('--url', cluster.url(), '--key-file', keyFile);
  expect([piped.code, piped.stderr]).toEqual([2, expect.stringContaining('needs a terminal')]);
  writeFileSync(join(folder, 'wrong.key'), 'x'.repeat(40));
  const stranger = await top('--once', '--url', cluster.url(), '--key-file', join(folder, 'wrong.key'));
  expect([stranger.code, stranger.stdout]).toEqual([1, expect.stringContaining('the key is not accepted (401)')]);
});
