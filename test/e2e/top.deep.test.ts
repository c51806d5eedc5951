import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, it } from '@jest/globals';
import { exec } from '../support/call';
import { TerminalSession } from '../support/terminal-session';
import { DEVELOPER_KEY, TestCluster } from '../support/test-cluster';
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
function top(...args: string[]): Promise<Printed> {
  return new Promise((resolve) =>
    execFile(process.execPath, [COMMAND, 'top', ...args], { cwd: folder, env: environment }, (error, stdout, stderr) =>
      resolve({ code: typeof error?.code === 'number' ? error.code : 0, stdout, stderr }),
    ),
  );
}

function watch(url: string, size = { columns: 100, rows: 30 }): TerminalSession {
  const session = new TerminalSession(size, [process.execPath, COMMAND, 'top', '--url', url, '--key-file', keyFile], environment);
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
