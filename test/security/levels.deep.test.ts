import { chmodSync, chownSync, existsSync, mkdirSync, readdirSync } from 'node:fs';
import { spawn, spawnSync } from 'node:child_process';
import { dirname, join } from 'node:path';
import { afterEach, describe, expect } from '@jest/globals';
import { EXIT_CODES } from '@python3-cluster/shared';
import { call, exec, runAdminJob } from '../support/call';
import { itIf } from '../support/optional';
import { ADMIN_KEY, DEVELOPER_KEY, listProcessesMentioning, TestCluster, type TestProcess } from '../support/test-cluster';
import { TestFolders } from '../support/test-folders';
import { waitFor } from '../support/wait-for';

const isRoot = process.getuid?.() === 0;
const itAsRoot = itIf(isRoot, 'this takes root');
const PLAIN_USER = 64_990;
/** What the worker image starts with. */
const FOUR_CAPABILITIES = [
  '/usr/bin/setpriv',
  '--bounding-set=-all,+setuid,+setgid,+kill,+chown',
  '--inh-caps=-all',
  '--no-new-privs',
  '--',
];
const AS_PLAIN_USER = ['/usr/bin/setpriv', `--reuid=${PLAIN_USER}`, `--regid=${PLAIN_USER}`, '--clear-groups', '--inh-caps=-all', '--'];
const readsThisClone = (): boolean => spawnSync(AS_PLAIN_USER[0] ?? '', [...AS_PLAIN_USER.slice(1), 'test', '-r', __filename]).status === 0;
const itAsPlainUser = itIf(isRoot && readsThisClone(), 'this takes root, and a clone that others can read');
const WITHOUT_LANDLOCK = ['/usr/bin/python3', join(__dirname, 'without_landlock.py')];

let cluster: TestCluster;
const folders = new TestFolders();
afterEach(async () => {
  await cluster.stop();
  folders.remove();
});

/** Folders that a worker node of another user can use. */
function settingsOf(uid: number): Record<string, string> {
  const folder = folders.make();
  for (const name of ['run', 'data']) {
    mkdirSync(join(folder, name));
    chownSync(join(folder, name), uid, uid);
    chmodSync(join(folder, name), 0o711);
  }
  return { PYTHON3_RUN_DIRECTORY: join(folder, 'run'), PYTHON3_DATA_DIRECTORY: join(folder, 'data'), PYTHON3_PATH: '/usr/bin/python3' };
}

async function start(settings: Record<string, string>, through: readonly string[] = []): Promise<TestProcess> {
  cluster = await TestCluster.start({ workers: 0 });
  return cluster.startWorker({ PYTHON3_MAX_SCRATCH_MB: '2', ...settings }, through);
}

const exitOf = (worker: TestProcess): Promise<number | null> => new Promise((resolve) => worker.process.once('exit', resolve));

const LEAVES_MUCH = `
import os, subprocess
os.makedirs('a/b', mode=0o700)
open('a/b/c', 'w').write('c')
os.chmod('a/b', 0)
os.chmod('a', 0)
subprocess.Popen(['sleep', '600'])
result = [os.getpid(), os.getuid()]
`;
const EATS_IN_PIECES = `
import os, time
for _ in range(3):
    if os.fork() == 0:
        block = bytearray(b'x') * (60 << 20)
        time.sleep(60)
time.sleep(60)
`;

const FILLS_ITS_FOLDER = `
import time
for n in range(4):
    open(str(n), 'wb').write(bytes(1 << 20))
time.sleep(4)
`;

/** What every level that runs code promises; and the limit on scratch folders, the kernel's where there are namespaces. */
async function assertWorksAt(level: string, layers: Readonly<Record<'uid' | 'namespaces' | 'seccomp', boolean>>): Promise<void> {
  await cluster.waitForWorkers(1);
  const [worker] = (await call(cluster, '/api/v1/workers', undefined, { key: ADMIN_KEY })).json.workers as {
    level: string;
    isolation: object;
  }[];
  expect(worker).toMatchObject({ level, isolation: { layers } });
  expect((await call(cluster, '/health', undefined, { key: null })).json.isolationLevel).toBe(level);
  expect((await exec(cluster, 'result = 1 + 1')).json).toMatchObject({ result: 2 });
  for (let round = 0; round < 6; round += 1) {
    const answer = await runAdminJob(cluster, { code: LEAVES_MUCH });
    expect(answer.json).toMatchObject({ level, outcome: { status: 'succeeded' } });
  }
  const empty = await runAdminJob(cluster, { code: 'import os, subprocess\nresult = [os.listdir(), subprocess.getoutput("echo x")]' });
  expect(empty.json.outcome).toMatchObject({ status: 'succeeded', value: [[], 'x'] });
  const eaten = await runAdminJob(cluster, { code: EATS_IN_PIECES, memoryMb: 120 });
  expect(eaten.json.outcome).toMatchObject({ status: 'out_of_memory', error: { type: 'MemoryError' } });
  const filled = await runAdminJob(cluster, { code: FILLS_ITS_FOLDER });
  const type = layers.namespaces ? 'OSError' : 'ScratchExceeded';
  expect(filled.json).toMatchObject({ outcome: { status: 'failed', error: { type } }, limitsHit: ['scratch'] });
  expect((await exec(cluster, 'result = 3')).json).toMatchObject({ result: 3 });
  const code = "import os\nos.calls = getattr(os, 'calls', 0) + 1\nopen('own', 'w').write('x')\nresult = os.calls";
  const warm = async (): Promise<unknown> => (await runAdminJob(cluster, { code, isolation: 'warm' })).json.outcome?.value;
  expect([await warm(), await warm()]).toEqual([1, 2]);
  expect(cluster.workers[0]?.log()).not.toContain('could not be emptied');
}

describe('a worker node', () => {
  itAsRoot('of root has level A', async () => {
    await start({});
    await assertWorksAt('A', { uid: true, namespaces: true, seccomp: true });
  });

  itAsRoot('with the four capabilities of the image has level A where its users may make namespaces', async () => {
    await start({}, FOUR_CAPABILITIES);
    await assertWorksAt('A', { uid: true, namespaces: true, seccomp: true });
  });

  itAsRoot('with the four capabilities of the image and without namespaces has level B, by users', async () => {
    await start({ PATH: folders.makePathWithoutBubblewrap(), PYTHON3_PATH: '/usr/bin/python3' }, FOUR_CAPABILITIES);
    await assertWorksAt('B', { uid: true, namespaces: false, seccomp: true });
  });

  itAsRoot('with the four capabilities of the image sweeps what a killed one of them left, files of its slots’ users too', async () => {
    const withoutNamespaces = { PATH: folders.makePathWithoutBubblewrap(), PYTHON3_PATH: '/usr/bin/python3' };
    const killed = await start(withoutNamespaces, FOUR_CAPABILITIES);
    await cluster.waitForWorkers(1);
    const code =
      "import os, time\nos.makedirs('a/b', mode=0o700)\nopen('a/b/c', 'w').write('c')\nprint('made', flush=True)\ntime.sleep(60)";
    const job = { code, mode: 'admin', delivery: 'at-most-once' };
    await call(cluster, '/api/v1/jobs', job, { key: ADMIN_KEY });
    const left = join(cluster.runDirectory, readdirSync(cluster.runDirectory)[0] as string, 'admin');
    await waitFor('the file', () => readdirSync(left).some((place) => existsSync(join(left, place, 'scratch', 'a', 'b', 'c'))));
    await killed.stop('SIGKILL');
    cluster.workers.splice(0);
    await waitFor('what ran there to be gone', () => listProcessesMentioning(dirname(left)).length === 0);
    cluster.startWorker(withoutNamespaces, FOUR_CAPABILITIES);
    await waitFor('the new node', async () => (await exec(cluster, 'result = 1')).json.result === 1);
    expect(readdirSync(cluster.runDirectory)).toHaveLength(1);
  });

  itAsPlainUser('of a plain user has level B, by namespaces', async () => {
    await start(settingsOf(PLAIN_USER), AS_PLAIN_USER);
    await assertWorksAt('B', { uid: false, namespaces: true, seccomp: true });
  });

  itAsPlainUser('of a plain user without namespaces has level C, and starts only where that is accepted', async () => {
    const settings = { ...settingsOf(PLAIN_USER), PATH: folders.makePathWithoutBubblewrap() };
    const refused = await start(settings, AS_PLAIN_USER);
    expect(await exitOf(refused)).toBe(EXIT_CODES.usage);
    expect(refused.log()).toMatch(/level C, and PYTHON3_ISOLATION=B is required.*uid: .*CAP_SETUID.*namespaces: .*not installed/);
    cluster.workers.splice(0);
    // What else the user runs is more than its jobs may have.
    const others = Array.from({ length: 40 }, () => spawn('sleep', ['600'], { uid: PLAIN_USER, gid: PLAIN_USER, stdio: 'ignore' }));
    const few = { PYTHON3_MAX_PROCESSES: '32' };
    cluster.startWorker({ ...settings, ...few, PYTHON3_ISOLATION: 'C', PYTHON3_MAX_SCRATCH_MB: '2' }, AS_PLAIN_USER);
    await assertWorksAt('C', { uid: false, namespaces: false, seccomp: true });
    expect(cluster.workers[0]?.log()).toContain('isolation level C');
    const forks = await runAdminJob(cluster, { code: "import subprocess\nresult = subprocess.run(['/bin/true']).returncode" });
    expect(forks.json.outcome).toMatchObject({ status: 'succeeded', value: 0 });
    for (const other of others) other.kill('SIGKILL');
    expect((await call(cluster, '/health', undefined, { key: null })).json.warning).toContain('level C');
  });

  itAsRoot('on a kernel without Landlock has level D: named, ADMIN only, and never in production', async () => {
    const refused = await start({ PYTHON3_ISOLATION: 'C' }, WITHOUT_LANDLOCK);
    expect(await exitOf(refused)).toBe(EXIT_CODES.usage);
    expect(refused.log()).toMatch(/level D, and PYTHON3_ISOLATION=C is required.*landlock: this kernel has no Landlock/);
    const production = cluster.startWorker({ PYTHON3_ISOLATION: 'D', NODE_ENV: 'production' }, WITHOUT_LANDLOCK);
    expect(await exitOf(production)).toBe(EXIT_CODES.usage);
    expect(production.log()).toContain('never accepted in production');
    cluster.workers.splice(0);
    cluster.startWorker({ PYTHON3_ISOLATION: 'D' }, WITHOUT_LANDLOCK);
    await cluster.waitForWorkers(1);
    const restricted = await call(cluster, '/api/v1/jobs', { code: 'result = 1' }, { key: DEVELOPER_KEY, headers: { prefer: 'wait=20' } });
    expect(restricted.json).toMatchObject({
      level: 'D',
      outcome: { status: 'rejected', error: { type: 'ISOLATION_INSUFFICIENT' } },
      attempts: [],
    });
    expect((await runAdminJob(cluster, { code: 'result = 1' })).json).toMatchObject({
      level: 'D',
      outcome: { status: 'succeeded', value: 1 },
    });
    await waitFor('the warning', async () => (await call(cluster, '/health', undefined, { key: null })).json.warning?.includes('level D'));
  });
});

describe('the users of slots', () => {
  itAsRoot('are other ones on each worker node of a host, for each mode, and for each job that runs at the same time', async () => {
    cluster = await TestCluster.start({ workers: 3, settings: { PYTHON3_POOL_MAX: '3' } });
    const jobs = await Promise.all(
      Array.from({ length: 9 }, () =>
        runAdminJob(cluster, {
          code: 'import os, time\na = time.time()\ntime.sleep(1)\nresult = [os.getuid(), os.getgid(), os.getgroups(), a, time.time()]',
        }),
      ),
    );
    const values = jobs.map(({ json }) => json.outcome.value as [number, number, number[], number, number]);
    expect(new Set(jobs.map(({ json }) => json.worker as string)).size).toBeGreaterThan(1);
    const overlaps = values.flatMap((one, index) =>
      values.slice(index + 1).flatMap((other) => (one[3] < other[4] && other[3] < one[4] ? [[one[0], other[0]]] : [])),
    );
    expect(overlaps.length).toBeGreaterThan(0);
    expect(overlaps.filter(([one, other]) => one === other)).toEqual([]);
    for (const [uid, gid, groups] of values) {
      expect([uid === gid, uid >= 61_000 && uid <= 61_999, groups.every((group) => group === uid)]).toEqual([true, true, true]);
    }
  });

  itAsRoot('may not be anybody’s', async () => {
    const worker = await start({ PYTHON3_SLOT_UIDS: '65000-65534' });
    expect(await exitOf(worker)).toBe(EXIT_CODES.usage);
    expect(worker.log()).toMatch(/PYTHON3_SLOT_UIDS=65000-65534 overlaps users or groups of this system: nobody/);
  });

  itAsRoot('are free again once their node was killed, and whatever still ran as them is not there any more', async () => {
    // With three slots: 12 workspaces of RESTRICTED, 11 of ADMIN, and their templates.
    const users = { PYTHON3_POOL_MAX: '3', PYTHON3_SLOT_UIDS: '60960-60984' };
    const first = await start(users);
    await cluster.waitForWorkers(1);
    const second = cluster.startWorker({ ...users, PYTHON3_ISOLATION: 'A' });
    expect(await exitOf(second)).toBe(EXIT_CODES.usage);
    expect(second.log()).toContain('no 25 users in a row of PYTHON3_SLOT_UIDS=60960-60984 are free');
    const stray = spawn('sleep', ['600'], { uid: 60_970, gid: 60_970, stdio: 'ignore' });
    const ended = new Promise((resolve) => stray.once('exit', (_, signal) => resolve(signal)));
    await first.stop('SIGKILL');
    cluster.workers.splice(0);
    cluster.startWorker({ ...users, PYTHON3_ISOLATION: 'A' });
    expect(await ended).toBe('SIGKILL');
    await waitFor('a job of the new node', async () => (await exec(cluster, 'result = 1')).json.result === 1);
  });
});
