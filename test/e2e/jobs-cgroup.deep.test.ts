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
  const commands = wordsOf(`python3-cluster-jobs-${worker.pid}/cgroup.procs`).map((pid) => readFileSync(`/proc/${pid}/cmdline`, 'utf8'));
  // Two templates, what they forked ahead, and the job.
  expect(commands.length).toBeGreaterThanOrEqual(4);
  expect(commands.filter((command) => !command.includes(cluster.runDirectory))).toEqual([]);
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
