import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect } from '@jest/globals';
import { call, exec, runAdminJob } from '../support/call';
import { itIf } from '../support/optional';
import { TestCluster } from '../support/test-cluster';
import { TestFolders } from '../support/test-folders';
import { waitFor } from '../support/wait-for';

const itAsRoot = itIf(process.getuid?.() === 0, 'this takes root');

/** Answers for the runner, says that it waits for the next call, and goes on. */
const PRETENDS_TO_WAIT = `
import json, os, stat, struct, sys, time
frame, nonce = sys._getframe(), None
while frame is not None:
    header = frame.f_locals.get('header')
    if isinstance(header, dict) and 'nonce' in header: nonce = header['nonce']
    frame = frame.f_back
channel = next(n for n in map(int, os.listdir('/proc/self/fd')) if n > 2 and stat.S_ISSOCK(os.fstat(n).st_mode))
def send(message, body=b''):
    raw = json.dumps(message).encode()
    os.write(channel, struct.pack('>II', len(raw), len(body)) + raw + body)
pipe, folder = os.readlink('/proc/self/fd/1'), os.getcwd()
def prepare(): pass
def act(): pass
#ACTIONS
prepare()
empty = os.open(os.devnull, os.O_RDWR)
for number in (0, 1, 2): os.dup2(empty, number)
os.close(empty)
send({'type': 'result', 'nonce': nonce, 'status': 'succeeded', 'hasValue': True, 'error': None}, b'"pretends"')
send({'type': 'waiting', 'nonce': nonce})
end = time.time() + 30
while time.time() < end: act()
`;

const WRITES_INTO_THE_PIPE = `
def act():
    try:
        descriptor = os.open(pipe, os.O_WRONLY | os.O_NONBLOCK)
        os.write(descriptor, b'FOREIGN\\n')
        os.close(descriptor)
    except OSError: pass
`;

/** Looks for files in its folder, little enough to pass for idle for a while. */
const WRITES_INTO_THE_FOLDER = `
def act():
    for name in os.listdir(folder):
        try:
            with open(folder + '/' + name, 'w') as file: file.write('FOREIGN')
        except OSError: pass
    time.sleep(0.002)
`;

/** Whoever empties the folder by path, and looks at a name before it goes on by it, is led elsewhere. */
const swapsFoldersForLinks = (target: string): string => `
names = [folder + '/' + str(number) for number in range(190)]
def prepare():
    for name in names: os.mkdir(name)
def act():
    for name in names:
        try:
            os.rmdir(name)
            os.symlink(${JSON.stringify(target)}, name)
        except OSError: pass
    for name in names:
        try: os.unlink(name)
        except OSError: pass
        try: os.mkdir(name)
        except OSError: pass
`;

const pretender = (actions: string): string => PRETENDS_TO_WAIT.replace('#ACTIONS', actions);

const KEEPS_A_FILE = `
import os, time
with open('mine', 'w') as file: file.write('mine')
for _ in range(20):
    time.sleep(0.005)
    os.listdir()
result = [open('mine').read(), sorted(os.listdir())]
`;

let cluster: TestCluster;
const folders = new TestFolders();
afterEach(async () => {
  await cluster.stop();
  folders.remove();
});

/** One attack after the other, and jobs of others while its process lives and a while longer. */
async function attackWhile(actions: string, job: () => Promise<void>): Promise<void> {
  for (let round = 0; round < 4; round += 1) {
    const attack = await runAdminJob(cluster, { code: pretender(`${actions}\n# ${round}`), isolation: 'warm' });
    // It is believed in nothing but its own answer, and that is its own.
    expect(attack.json.outcome).toMatchObject({ status: 'succeeded', value: 'pretends' });
    for (let times = 0; times < 12; times += 1) await job();
  }
}

describe.each(['A', 'B'] as const)('at level %s a process that only says that it waits', (level) => {
  const start = async (): Promise<void> => {
    const settings = { PYTHON3_POOL_MIN: '3', PYTHON3_POOL_MAX: '3', PYTHON3_LOG_LEVEL: 'debug', PYTHON3_PATH: '/usr/bin/python3' };
    cluster = await TestCluster.start({ workers: 0 });
    cluster.startWorker({ ...settings, ...(level === 'B' ? { PATH: folders.makePathWithoutBubblewrap() } : {}) });
    await cluster.waitForWorkers(1);
    const health = await call(cluster, '/health', undefined, { key: null });
    expect(health.json.isolationLevel).toBe(level);
  };

  itAsRoot('writes into nobody’s output', async () => {
    await start();
    await attackWhile(WRITES_INTO_THE_PIPE, async () => {
      const answer = await exec(cluster, 'print("mine")');
      expect(answer.json).toMatchObject({ result: 'mine\n', stdout: 'mine\n' });
    });
    // What it printed while it should have waited is what gave it away.
    await waitFor('its end', () => cluster.workers[0]?.log().includes('it prints while it should wait') === true);
  });

  itAsRoot('finds nobody’s files', async () => {
    await start();
    await attackWhile(WRITES_INTO_THE_FOLDER, async () => {
      const answer = await runAdminJob(cluster, { code: KEEPS_A_FILE });
      expect(answer.json.outcome).toMatchObject({ status: 'succeeded', value: ['mine', ['mine']] });
    });
  });

  itAsRoot('leads nobody out of its folder', async () => {
    await start();
    const target = folders.make();
    mkdirSync(join(target, 'folder'));
    writeFileSync(join(target, 'file'), 'precious');
    await attackWhile(swapsFoldersForLinks(target), async () => {
      const answer = await runAdminJob(cluster, { code: KEEPS_A_FILE });
      expect(answer.json.outcome).toMatchObject({ status: 'succeeded', value: ['mine', ['mine']] });
    });
    expect([existsSync(join(target, 'file')), existsSync(join(target, 'folder'))]).toEqual([true, true]);
  });
});
