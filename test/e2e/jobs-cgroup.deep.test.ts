import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, expect } from '@jest/globals';
import { call, exec } from '../support/call';
import { itIf } from '../support/optional';
import { ADMIN_KEY, TestCluster } from '../support/test-cluster';
import { waitFor } from '../support/wait-for';

const mount = readFileSync('/proc/self/mountinfo', 'utf8')
  .split('\n')
  .find((line) => / - cgroup2 /.test(line))
  ?.split(' ')[4];
const group = join(mount ?? '', `p3-test-${randomBytes(4).toString('hex')}`);
const mayMake = mount !== undefined && makeGroup();
const hasControllers = mayMake && wordsOf('cgroup.controllers').includes('memory') && wordsOf('cgroup.controllers').includes('pids');
const itWithGroups = itIf(mayMake, 'no control group can be made here');
const itWithControllers = itIf(hasControllers, 'control groups of version 2 have no memory and pids controller here');
if (mayMake) rmdirSync(group);

function makeGroup(): boolean {
  try {
    mkdirSync(group);
    return true;
  } catch {
    return false;
  }
}

function wordsOf(name: string): string[] {
  return readFileSync(join(group, name), 'utf8').split(/\s+/).filter(Boolean);
}

/** Starts a program in the group, alone. */
const IN_GROUP = ['/bin/sh', '-c', `echo $$ > ${group}/cgroup.procs && exec "$@"`, 'sh'];
/** The members of each group that jobs of a worker node are in. */
const leavesOf = (pid: number | undefined): Map<string, string[]> => {
  const jobs = `python3-cluster-jobs-${pid}`;
  const names = readdirSync(join(group, jobs), { withFileTypes: true }).filter((entry) => entry.isDirectory());
  return new Map(names.map(({ name }) => [name, wordsOf(`${jobs}/${name}/cgroup.procs`)]));
};
const partsOf = (): string[] => readdirSync(group).filter((name) => name.startsWith('python3-cluster'));

let cluster: TestCluster;
afterEach(async () => {
  await cluster.stop();
  await waitFor('the group to be empty', () => wordsOf('cgroup.procs').length === 0);
  rmdirSync(group);
});

itWithGroups('a worker node alone in a control group divides it between itself and its jobs, and puts it together again', async () => {
  mkdirSync(group);
  cluster = await TestCluster.start({ workers: 0 });
  const worker = cluster.startWorker({}, IN_GROUP);
  await cluster.waitForWorkers(1);
  const job = { code: "import time\nprint('x', flush=True)\ntime.sleep(60)", mode: 'admin' };
  const { json } = await call(cluster, '/api/v1/jobs', job, { key: ADMIN_KEY });
  await waitFor(
    'it to run',
    async () => (await call(cluster, `/api/v1/jobs/${json.id}`, undefined, { key: ADMIN_KEY })).json.state === 'active',
  );
  expect(wordsOf('cgroup.procs')).toEqual([]);
  expect(wordsOf(`python3-cluster-node-${worker.pid}/cgroup.procs`)).toContain(String(worker.pid));
  expect(wordsOf(`python3-cluster-jobs-${worker.pid}/cgroup.procs`)).toEqual([]);
  // A child that was just forked is on its way out of its template's group.
  await waitFor('the templates to be alone', () => leavesOf(worker.pid).get('templates')?.length === 2);
  const leaves = leavesOf(worker.pid);
  const commands = [...leaves.values()].flat().map((pid) => readFileSync(`/proc/${pid}/cmdline`, 'utf8'));
  expect(commands.filter((command) => !command.includes(cluster.runDirectory))).toEqual([]);
  leaves.delete('templates');
  // What the templates forked ahead, and the job, each alone.
  const lengths = [...leaves.values()].map((members) => members.length);
  expect(lengths.filter((length) => length === 1).length).toBeGreaterThanOrEqual(3);
  expect(Math.max(...lengths)).toBe(1);
  await call(cluster, `/api/v1/jobs/${json.id}`, undefined, { method: 'DELETE', key: ADMIN_KEY });
  expect(await worker.stop()).toBe(0);
  expect(partsOf()).toEqual([]);
});

itWithGroups('one that shares its group leaves it as it is', async () => {
  mkdirSync(group);
  cluster = await TestCluster.start({ workers: 0 });
  const stranger = spawn('sleep', ['600'], { stdio: 'ignore' });
  const ended = new Promise((resolve) => stranger.once('exit', resolve));
  try {
    writeFileSync(join(group, 'cgroup.procs'), String(stranger.pid));
    cluster.startWorker({ PYTHON3_LOG_LEVEL: 'debug' }, IN_GROUP);
    await cluster.waitForWorkers(1);
    expect((await exec(cluster, 'result = 1')).json.result).toBe(1);
    expect(partsOf()).toEqual([]);
    expect(cluster.workers[0]?.log()).toContain(`other processes share the control group ${group}`);
  } finally {
    stranger.kill('SIGKILL');
    await ended;
  }
});

itWithControllers('jobs together may have what the group may, less a reserve for the node', async () => {
  mkdirSync(group);
  for (const name of ['memory', 'pids']) writeFileSync(join(mount ?? '', 'cgroup.subtree_control'), `+${name}`);
  writeFileSync(join(group, 'memory.max'), String(1 << 30));
  writeFileSync(join(group, 'pids.max'), '400');
  cluster = await TestCluster.start({ workers: 0 });
  const worker = cluster.startWorker({}, IN_GROUP);
  await cluster.waitForWorkers(1);
  expect((await exec(cluster, 'result = 1')).json.result).toBe(1);
  const boundOf = (name: string): number => Number(wordsOf(`python3-cluster-jobs-${worker.pid}/${name}`)[0]);
  expect([boundOf('memory.max'), boundOf('pids.max')]).toEqual([(1 << 30) - 256 * 1_048_576, 400 - 64]);
});

const ADMIN = { key: ADMIN_KEY };
const LEAVES_ITS_SESSION = `
import os, time
for _ in range(3):
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            time.sleep(600)
        os._exit(0)
print('x', flush=True)
time.sleep(600)`;

itWithGroups('all that a job forked is in its group, wherever it went, and is ended with it', async () => {
  mkdirSync(group);
  cluster = await TestCluster.start({ workers: 0 });
  const worker = cluster.startWorker({}, IN_GROUP);
  await cluster.waitForWorkers(1);
  const { json } = await call(cluster, '/api/v1/jobs', { code: LEAVES_ITS_SESSION, mode: 'admin' }, ADMIN);
  const largest = (): number => Math.max(...[...leavesOf(worker.pid)].map(([name, pids]) => (name === 'templates' ? 0 : pids.length)));
  await waitFor('four processes in one group', () => largest() === 4);
  await call(cluster, `/api/v1/jobs/${json.id}`, undefined, { method: 'DELETE', ...ADMIN });
  await waitFor('them to be gone', () => largest() === 1);
});

const WORKS_IN_SHORT_PROCESSES = `
import os, signal, time
signal.signal(signal.SIGCHLD, signal.SIG_IGN)
while True:
    if os.fork() == 0:
        until = time.process_time() + 0.03
        while time.process_time() < until: pass
        os._exit(0)
    try: os.waitpid(-1, 0)
    except ChildProcessError: pass`;

itWithGroups('CPU time of short processes whose end nobody hears of counts for the job', async () => {
  mkdirSync(group);
  cluster = await TestCluster.start({ workers: 0 });
  cluster.startWorker({}, IN_GROUP);
  await cluster.waitForWorkers(1);
  const job = { code: WORKS_IN_SHORT_PROCESSES, mode: 'admin', cpuSeconds: 1, timeoutMs: 60_000 };
  const { json } = await call(cluster, '/api/v1/jobs', job, { ...ADMIN, headers: { Prefer: 'wait=60' } });
  expect(json.outcome).toMatchObject({ status: 'cpu_exceeded' });
  expect(json.timings.cpuMs).toBeGreaterThan(1_000);
});

const TAKES_MEMORY_IN_FOUR = `
import os, time
for _ in range(4):
    if os.fork() == 0:
        kept = []
        while True: kept.append(bytearray(b'x') * (1 << 20))
time.sleep(60)`;

itWithControllers('the kernel ends a job that has more than its limit, all of it, and the figure is its own', async () => {
  mkdirSync(group);
  for (const name of ['memory', 'pids']) writeFileSync(join(mount ?? '', 'cgroup.subtree_control'), `+${name}`);
  cluster = await TestCluster.start({ workers: 0 });
  cluster.startWorker({}, IN_GROUP);
  await cluster.waitForWorkers(1);
  const job = { code: TAKES_MEMORY_IN_FOUR, mode: 'admin', memoryMb: 256 };
  const { json } = await call(cluster, '/api/v1/jobs', job, { ...ADMIN, headers: { Prefer: 'wait=60' } });
  expect(json.outcome).toMatchObject({ status: 'out_of_memory', error: { type: 'MemoryError' } });
  expect(json.timings.maxMemoryBytes).toBeGreaterThan(200 * 1_048_576);
  expect(json.timings.maxMemoryBytes).toBeLessThan(257 * 1_048_576);
});
