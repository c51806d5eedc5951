import { createServer, type AddressInfo } from 'node:net';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { EXIT_CODES } from '@python3-cluster/shared';
import { call, exec, legacy, runJob } from '../support/call';
import { listAlive, listDescendants } from '../support/descendants';
import { jobsOf } from '../support/jobs';
import { pause } from '../support/pause';
import { TcpProxy } from '../support/tcp-proxy';
import { freePort } from '../support/test-redis';
import { spawnLogged, TestCluster, type TestProcess } from '../support/test-cluster';
import { waitFor } from '../support/wait-for';

const COMMAND = join(__dirname, '..', '..', 'packages', 'cli', 'bin', 'python3-cluster.js');
const DEFECT = `--require=${join(__dirname, '..', 'fixtures', 'throws-on-signal.cjs')}`;
/** A second signal sooner than that is an echo of the first. */
const NOT_AN_ECHO_MS = 700;

let cluster: TestCluster;
let dataDirectory: string;
const started: TestProcess[] = [];
beforeEach(() => {
  dataDirectory = mkdtempSync(join(tmpdir(), 'p3-exit-'));
});
afterEach(async () => {
  await Promise.all(started.splice(0).map((one) => one.stop('SIGKILL')));
  await (cluster as TestCluster | undefined)?.stop();
  rmSync(dataDirectory, { recursive: true, force: true });
});

const exitOf = (one: TestProcess): Promise<number | null> =>
  one.process.exitCode === null ? new Promise((resolve) => one.process.once('exit', resolve)) : Promise.resolve(one.process.exitCode);
const sleepJob = (seconds: number) => ({ code: `import time\ntime.sleep(${seconds})\nresult = 1` });
const running = (count: number): Promise<boolean> =>
  waitFor(`${count} jobs to run`, async () => (await legacy(cluster, 'pool-stats')).json.inUse === count);

/** A cluster of `npm start`, which asks this machine for no key. */
const runningAt = (port: number): Promise<boolean> =>
  waitFor('a job to run', async () => {
    const answer = await fetch(`http://127.0.0.1:${port}/data/python3integration/api/v1/pool-stats`);
    return ((await answer.json()) as { inUse: number }).inUse === 1;
  });

function startStart(port: number, settings: Record<string, string> = {}): TestProcess {
  const launcher = join(__dirname, '..', '..', 'scripts', 'launch.mjs');
  const environment = { PATH: process.env['PATH'], HOME: process.env['HOME'], PORT: String(port), PYTHON3_DATA_DIRECTORY: dataDirectory };
  const one = spawnLogged(process.execPath, [launcher, 'start'], { ...environment, PYTHON3_AUTH: 'loopback-open', ...settings });
  started.push(one);
  return one;
}

async function startedStart(settings: Record<string, string> = {}): Promise<{ start: TestProcess; port: number }> {
  const port = await freePort();
  const start = startStart(port, settings);
  await waitFor('the welcome', () => start.log().includes('Ctrl-C stops everything'), 60_000);
  return { start, port };
}

/** Runs a command that is to fail, and returns its exit code and words. */
async function runCommand(args: string[], settings: Record<string, string> = {}): Promise<[number | null, string]> {
  const environment = { PATH: process.env['PATH'], HOME: process.env['HOME'], PYTHON3_DATA_DIRECTORY: dataDirectory, ...settings };
  const one = spawnLogged(process.execPath, [COMMAND, ...args], environment);
  started.push(one);
  const code = await exitOf(one);
  return [code, one.log()];
}

const complete = {
  REDIS_URL: process.env['PYTHON3_TEST_REDIS_URL'] ?? '',
  PYTHON3_SIGNING_KEY: 'signing-key-of-the-tests-0123456789abcdef',
};

const noStack = expect.not.stringMatching(/^ +at /m);

describe('exit code 1: cannot start, and trying again may help', () => {
  it.each<[string, string[], Record<string, string>, RegExp]>([
    ['api on an address that is not ours', ['api'], { ...complete, HOST: '192.0.2.1', PORT: '0' }, /EADDRNOTAVAIL/],
    ['doctor that finds no Redis', ['doctor'], { REDIS_URL: 'redis://127.0.0.1:1/0' }, /FAIL/],
  ])('%s', async (_, args, settings, words) => {
    const [code, log] = await runCommand(args, settings);
    expect(log).toMatch(words);
    expect([code, log]).toEqual([EXIT_CODES.cannotStart, noStack]);
  });
});

describe('exit code 2: a bad command line, or settings that cannot work here', () => {
  it.each<[string, string[], Record<string, string>, RegExp]>([
    ['api', ['api'], { ...complete, PORT: 'x' }, /PORT must be/],
    ['worker', ['worker'], { ...complete, PYTHON3_DRAIN_SECONDS: '-1' }, /PYTHON3_DRAIN_SECONDS/],
    ['start', ['start'], { PYTHON3_TIMEOUT_SECONDS: '0' }, /PYTHON3_TIMEOUT_SECONDS/],
    ['an unknown command', ['serve'], {}, /unknown command/],
    ['an unknown option', ['worker', '--fast'], complete, /unknown option/],
    ['api without Redis named', ['api'], { PYTHON3_SIGNING_KEY: complete.PYTHON3_SIGNING_KEY }, /REDIS_REQUIRED/],
    ['worker without a signing key', ['worker'], { REDIS_URL: complete.REDIS_URL }, /SIGNING_KEY_REQUIRED/],
    ['worker without its Python', ['worker'], { ...complete, PYTHON3_PATH: '/nowhere/python3' }, /nowhere.*PYTHON_NOT_FOUND/],
    ['worker whose preload cannot be imported', ['worker'], { ...complete, PYTHON3_PRELOAD: 'no_such_module' }, /TEMPLATE_START_FAILED/],
    ['worker whose run directory cannot be made', ['worker'], { ...complete, PYTHON3_RUN_DIRECTORY: '/dev/null/run' }, /PYTHON3_RUN_DIRECTORY.*ENOTDIR/],
  ])('%s', async (_, args, settings, words) => {
    const [code, log] = await runCommand(args, settings);
    expect(log).toMatch(words);
    expect([code, log]).toEqual([EXIT_CODES.usage, noStack]);
  }); // prettier-ignore

  it('tells all that is wrong at once, whatever kind it is of', async () => {
    const taken = createServer();
    await new Promise<void>((resolve) => taken.listen(0, '127.0.0.1', resolve));
    const port = String((taken.address() as AddressInfo).port);
    const wrong = { PYTHON3_DRAIN_SECONDS: '-1', PYTHON3_POOL_MXA: '5', PYTHON3_PATH: '/nowhere/python3', PYTHON3_RUN_DIRECTORY: '/dev/null/run' };
    const [api, worker, start] = await Promise.all([
      runCommand(['api'], { ...wrong, PORT: port }),
      runCommand(['worker'], { ...wrong, PYTHON3_WORKER_METRICS_PORT: port }),
      runCommand(['start'], { PYTHON3_DRAIN_SECONDS: '-1', PORT: port }),
    ]);
    await new Promise((resolve) => taken.close(resolve));
    const settings = ['PYTHON3_DRAIN_SECONDS must be', 'did you mean PYTHON3_POOL_MAX?', '(REDIS_REQUIRED)', '(SIGNING_KEY_REQUIRED)', `Port ${port}`];
    for (const words of settings) expect(api[1]).toContain(words);
    for (const words of [...settings, '(PYTHON_NOT_FOUND)', 'PYTHON3_RUN_DIRECTORY']) expect(worker[1]).toContain(words);
    for (const words of ['PYTHON3_DRAIN_SECONDS must be', `Port ${port}`]) expect(start[1]).toContain(words);
    expect([api[0], worker[0], start[0]]).toEqual([2, 2, 2]);
  }); // prettier-ignore

  it.each(['api', 'start'])('%s on a taken port, which it names', async (command) => {
    const taken = createServer();
    await new Promise<void>((resolve) => taken.listen(0, '127.0.0.1', resolve));
    const { port } = taken.address() as AddressInfo;
    const [code, log] = await runCommand([command], { ...complete, PORT: String(port) });
    expect([code, log]).toEqual([EXIT_CODES.usage, expect.stringContaining(`Port ${port} `)]);
    expect(log).toContain('PORT_IN_USE');
    await new Promise((resolve) => taken.close(resolve));
  });

  it('names of a .env file that are like settings are told, whether they begin with PYTHON3_ or not', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'p3-env-'));
    writeFileSync(
      join(directory, '.env'),
      'REDIS_ULR=x\nPYTHON_POOL_MAX=4\nPYTHON3_TIMEOUT_SECS=4\nCOMPOSE_PROJECT_NAME=x\nPYTHON3_POOL_MXA=4\n',
    );
    const environment = { PATH: process.env['PATH'], PYTHON3_DATA_DIRECTORY: dataDirectory };
    const one = spawnLogged(process.execPath, [COMMAND, 'start'], environment, directory);
    started.push(one);
    expect(await exitOf(one)).toBe(EXIT_CODES.usage);
    for (const name of ['REDIS_URL', 'PYTHON3_POOL_MAX', 'PYTHON3_POOL_MAX']) expect(one.log()).toContain(`did you mean ${name}?`);
    expect(one.log()).not.toContain('COMPOSE_PROJECT_NAME');
    rmSync(directory, { recursive: true });
  });
});

describe('exit code 0: stopped in order', () => {
  it('api, whose waiting caller gets its answer first, and who takes nothing new', async () => {
    cluster = await TestCluster.start();
    const waiting = exec(cluster, sleepJob(1.5).code);
    await running(1);
    const api = cluster.apis[0] as TestProcess;
    api.process.kill('SIGTERM');
    await waitFor('no new connections', async () => call(cluster, '/health/live').then(() => false, () => true)); // prettier-ignore
    expect((await waiting).json.result).toBe(1);
    expect(await exitOf(api)).toBe(EXIT_CODES.ok);
  });

  it('api whose caller waits for longer than it may drain: the caller is told the job’s id, and finds it at another replica', async () => {
    cluster = await TestCluster.start({ apis: 2, settings: { PYTHON3_DRAIN_SECONDS: '1' } });
    const waiting = exec(cluster, sleepJob(4).code);
    await running(1);
    const api = cluster.apis[0] as TestProcess;
    api.process.kill('SIGTERM');
    const answer = await waiting;
    expect([answer.status, answer.json.code]).toEqual([504, 'OUTCOME_UNKNOWN']);
    expect(await exitOf(api)).toBe(EXIT_CODES.ok);
    const ended = await jobsOf(cluster, { replica: 1 }).ended(answer.json.jobId as string);
    expect(ended.outcome).toMatchObject({ status: 'succeeded', value: 1 });
  });

  it('worker, which ends what outlasts its drain time within its grace', async () => {
    cluster = await TestCluster.start({ settings: { PYTHON3_DRAIN_SECONDS: '1' } });
    const job = await call(cluster, '/api/v1/jobs', sleepJob(30));
    await running(1);
    const worker = cluster.workers[0] as TestProcess;
    const since = performance.now();
    expect(await worker.stop()).toBe(EXIT_CODES.ok);
    // Drain and grace, 6 s, and what a busy machine adds; the job alone would have taken 30 s.
    expect(performance.now() - since).toBeLessThan(20_000);
    expect((await call(cluster, `/api/v1/jobs/${job.json.id as string}`)).json.outcome).toBeNull();
  });

  it('start, with a job under way, and --stop-with-parent at the end of standard input', async () => {
    const { start, port } = await startedStart();
    const headers = { 'content-type': 'application/json', prefer: 'wait=20' };
    const waiting = fetch(`http://127.0.0.1:${port}/api/v1/jobs`, { method: 'POST', headers, body: JSON.stringify(sleepJob(2)) });
    await runningAt(port);
    const below = listDescendants(start.pid);
    start.process.kill('SIGTERM');
    expect(((await (await waiting).json()) as { outcome: unknown }).outcome).toMatchObject({ status: 'succeeded', value: 1 });
    expect([await exitOf(start), listAlive(below)]).toEqual([EXIT_CODES.ok, []]);
  }, 90_000);
});

describe('exit code 3: stopped, but not in order', () => {
  it('api at a second signal; its caller loses the connection, and the job goes on', async () => {
    cluster = await TestCluster.start({ apis: 2 });
    const waiting = exec(cluster, sleepJob(3).code).catch(() => 'lost');
    await running(1);
    const api = cluster.apis[0] as TestProcess;
    api.process.kill('SIGTERM');
    await pause(NOT_AN_ECHO_MS);
    api.process.kill('SIGTERM');
    expect([await exitOf(api), await waiting]).toEqual([EXIT_CODES.forced, 'lost']);
    await waitFor('the job to end', async () => (await legacy(cluster, 'pool-stats', undefined, { replica: 1 })).json.inUse === 0);
  });

  it('worker at a second signal, and nothing it ran is left', async () => {
    cluster = await TestCluster.start();
    await call(cluster, '/api/v1/jobs', sleepJob(30));
    await running(1);
    const worker = cluster.workers[0] as TestProcess;
    const below = listDescendants(worker.pid);
    worker.process.kill('SIGTERM');
    await pause(NOT_AN_ECHO_MS);
    worker.process.kill('SIGTERM');
    expect(await exitOf(worker)).toBe(EXIT_CODES.forced);
    await waitFor('its processes to be gone', () => listAlive(below).length === 0);
    rmSync(cluster.runDirectory, { recursive: true, force: true });
  });

  it('worker that cannot take leave of Redis within its time', async () => {
    cluster = await TestCluster.start({ workers: 0 });
    const proxy = await TcpProxy.start(Number(new URL(cluster.redisUrl).port));
    const worker = cluster.startWorker({ REDIS_URL: proxy.redisUrl, PYTHON3_DRAIN_SECONDS: '0' });
    await cluster.waitForWorkers(1);
    const below = listDescendants(worker.pid);
    proxy.cut('frozen');
    expect(await worker.stop()).toBe(EXIT_CODES.forced);
    await waitFor('its processes to be gone', () => listAlive(below).length === 0);
    await proxy.stop();
    rmSync(cluster.runDirectory, { recursive: true, force: true });
  });

  it('start at a second signal, and nothing of it is left', async () => {
    const { start, port } = await startedStart();
    const headers = { 'content-type': 'application/json' };
    await fetch(`http://127.0.0.1:${port}/api/v1/jobs`, { method: 'POST', headers, body: JSON.stringify(sleepJob(8)) });
    await runningAt(port);
    const below = listDescendants(start.pid);
    start.process.kill('SIGTERM');
    await pause(NOT_AN_ECHO_MS);
    start.process.kill('SIGTERM');
    expect(await exitOf(start)).toBe(EXIT_CODES.forced);
    // They read the end of their standard input, and drain.
    await waitFor('its processes to be gone', () => listAlive(below).length === 0, 60_000);
  }, 120_000);
});

describe('exit code 70: a defect', () => {
  it.each<[string, 'exception' | 'rejection']>([
    ['api', 'exception'], ['api', 'rejection'], ['worker', 'exception'], ['worker', 'rejection'],
  ])('%s that meets an unexpected %s, and says where', async (command, defect) => {
    const settings = { NODE_OPTIONS: DEFECT, DEFECT: defect };
    cluster = await TestCluster.start({ workers: 0 });
    const one = command === 'api' ? await cluster.startApi(settings) : cluster.startWorker(settings);
    if (command === 'worker') await cluster.waitForWorkers(1);
    const below = listDescendants(one.pid);
    one.process.kill('SIGUSR2');
    expect(await exitOf(one)).toBe(EXIT_CODES.defect);
    expect(one.log()).toMatch(/nobody (expected|handles)\n +at .*throws-on-signal/);
    await waitFor('its processes to be gone', () => listAlive(below).length === 0);
    rmSync(cluster.runDirectory, { recursive: true, force: true });
  }); // prettier-ignore

  it('start, and nothing of it is left', async () => {
    const { start } = await startedStart({ NODE_OPTIONS: DEFECT });
    const below = listDescendants(start.pid);
    start.process.kill('SIGUSR2');
    expect(await exitOf(start)).toBe(EXIT_CODES.defect);
    await waitFor('its processes to be gone', () => listAlive(below).length === 0, 60_000);
  }, 120_000);
});

it('an API replica that is killed leaves the jobs of its waiting callers to be fetched from another', async () => {
  cluster = await TestCluster.start({ apis: 2 });
  const lost = [runJob(cluster, sleepJob(2)), exec(cluster, sleepJob(2).code)].map((waiting) => waiting.catch(() => 'lost'));
  await running(2);
  // The list is written beside the queue: on a busy machine a job may run a moment before it stands there.
  const listed = await waitFor('both to be listed', async () => {
    const jobs = (await call(cluster, '/api/v1/jobs', undefined, { replica: 1 })).json.jobs as { id: string }[];
    return jobs.length === 2 && jobs;
  });
  await cluster.apis[0]?.stop('SIGKILL');
  expect(await Promise.all(lost)).toEqual(['lost', 'lost']);
  for (const { id } of listed) {
    const ended = await jobsOf(cluster, { replica: 1 }).ended(id);
    expect(ended.outcome).toMatchObject({ status: 'succeeded', value: 1 });
  }
});
