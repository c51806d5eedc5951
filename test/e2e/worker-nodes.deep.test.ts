import { existsSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from '@jest/globals';
import { EXIT_CODES } from '@python3-cluster/shared';
import { notesRoot } from '../support/notes';
import { ADMIN_KEY, listProcessesMentioning, SIGNING_KEY, TestCluster } from '../support/test-cluster';
import { assertOwnAnswers, call, exec, execAsAdmin, legacy, runAdminJob } from '../support/call';
import { TestFolders } from '../support/test-folders';
import { jobsOf } from '../support/jobs';
import { waitFor } from '../support/wait-for';

let cluster: TestCluster;
const folders = new TestFolders();
afterEach(async () => {
  await cluster.stop();
  folders.remove();
});

const workersIn = (answers: { json: { worker?: string } }[]): Set<string | undefined> =>
  new Set(answers.map((answer) => answer.json.worker));
const sleepJob = (seconds: number) => ({ code: `import time\ntime.sleep(${seconds})\nresult = 1` });
const waitHeader = { headers: { prefer: 'wait=30' } };

describe('two worker nodes', () => {
  it('share a lane, and the second joins and leaves a running cluster', async () => {
    cluster = await TestCluster.start({ workers: 1 });
    await exec(cluster, 'result = 1');
    const second = cluster.startWorker();
    await cluster.waitForWorkers(2);
    const stats = (await legacy(cluster, 'pool-stats')).json;
    expect(stats.totalSize).toBe(6);
    const answers = await Promise.all(Array.from({ length: 12 }, () => call(cluster, '/api/v1/jobs', sleepJob(0.3), waitHeader)));
    expect(workersIn(answers).size).toBe(2);
    const running = call(cluster, '/api/v1/jobs', sleepJob(1), waitHeader);
    expect(await second.stop()).toBe(0);
    expect((await running).json.outcome.status).toBe('succeeded');
    await cluster.waitForWorkers(1);
    await assertOwnAnswers(cluster);
  });

  it('serve the lanes they name, and no other', async () => {
    cluster = await TestCluster.start({ workers: 0 });
    cluster.startWorker({ PYTHON3_LANES: 'default' });
    cluster.startWorker({ PYTHON3_LANES: 'line-7,vision' });
    await cluster.waitForWorkers(2);
    const answers = await Promise.all(
      ['default', 'line-7', 'vision'].map((lane) => call(cluster, '/api/v1/jobs', { code: 'result = 1', lane }, waitHeader)),
    );
    expect(answers.map((answer) => answer.json.outcome?.status)).toEqual(['succeeded', 'succeeded', 'succeeded']);
    expect(answers[1]?.json.worker).toBe(answers[2]?.json.worker);
    expect(answers[0]?.json.worker).not.toBe(answers[1]?.json.worker);
  });

  it('a node killed under a job: at-least-once runs it again elsewhere, at-most-once says that it is lost', async () => {
    cluster = await TestCluster.start({ workers: 2 });
    // Its first run goes on until its node is killed, however long the third one takes to start.
    const code = `import os, time
os.umask(0)
if not os.path.exists(mark):
    open(mark, 'w').close()
    time.sleep(100)
result = 'again'`;
    const limits = { timeoutMs: 120_000 };
    const twice = { ...limits, code, mode: 'admin', variables: { mark: join(cluster.notes, 'began') } };
    const [again, once] = await Promise.all([
      call(cluster, '/api/v1/jobs', twice, { key: ADMIN_KEY }),
      call(cluster, '/api/v1/jobs', { ...limits, ...sleepJob(100), delivery: 'at-most-once' }),
    ]);
    await waitFor('both to run', async () => (await legacy(cluster, 'pool-stats')).json.inUse === 2);
    const victims = cluster.workers.splice(0, 2);
    cluster.startWorker();
    await cluster.waitForWorkers(3);
    for (const victim of victims) await victim.stop('SIGKILL');
    const { ended } = jobsOf(cluster, { key: ADMIN_KEY });
    expect(await ended(again.json.id)).toMatchObject({
      outcome: { status: 'succeeded', value: 'again' },
      attempts: [{ number: 1 }, { number: 2 }],
    });
    expect(await ended(once.json.id)).toMatchObject({ outcome: { status: 'lost' }, attempts: [{ number: 1 }] });
    await waitFor('the killed nodes’ processes to be gone', () => listProcessesMentioning(cluster.runDirectory).length <= 7);
    // The next node to start sweeps what killed ones could not.
    cluster.startWorker();
    await cluster.waitForWorkers(2);
    expect(readdirSync(cluster.runDirectory)).toHaveLength(2);
  });
});

describe('one worker node', () => {
  it('answers probes and metrics while every slot is held', async () => {
    cluster = await TestCluster.start();
    const max = (await call(cluster, '/health', undefined, { key: null })).json.slots.max as number;
    const held = Array.from({ length: max }, () => call(cluster, '/api/v1/jobs', sleepJob(5), waitHeader));
    await waitFor('every slot to be held', async () => (await legacy(cluster, 'pool-stats')).json.inUse === max);
    for (const path of [
      '/health',
      '/health/live',
      '/health/ready',
      '/',
      '/api/v1/workers',
      ...['version', 'pool-stats', 'health', 'diagnostics'].map((route) => `/data/python3integration/api/v1/${route}`),
    ]) {
      expect((await call(cluster, path)).status).toBe(200);
    }
    // Nothing of that waited for a slot: all of them are held still.
    expect((await legacy(cluster, 'pool-stats')).json.inUse).toBe(max);
    await Promise.all(held);
  });

  it('tells the caller POOL_BUSY when no slot comes free in time, and does not run the job later', async () => {
    cluster = await TestCluster.start({ settings: { PYTHON3_POOL_MAX: '3', PYTHON3_QUEUE_WAIT_SECONDS: '1' } });
    const held = Array.from({ length: 3 }, () => call(cluster, '/api/v1/jobs', sleepJob(4), waitHeader));
    await waitFor('every slot to be held', async () => (await legacy(cluster, 'pool-stats')).json.inUse === 3);
    const marker = join(cluster.notes, 'must-not-exist');
    const answer = await execAsAdmin(cluster, `open('${marker}', 'w')`);
    expect({ status: answer.status, code: answer.json.code, retryAfter: answer.headers.has('retry-after') }).toEqual({
      status: 503,
      code: 'POOL_BUSY',
      retryAfter: true,
    });
    await Promise.all(held);
    await assertOwnAnswers(cluster);
    expect(existsSync(marker)).toBe(false);
  }, 90_000);

  it('grows to its maximum under load and really runs more at once', async () => {
    cluster = await TestCluster.start({ settings: { PYTHON3_POOL_MIN: '3', PYTHON3_POOL_MAX: '8', PYTHON3_POOL_IDLE_SECONDS: '1' } });
    const jobs = Array.from({ length: 8 }, () => call(cluster, '/api/v1/jobs', sleepJob(2), waitHeader));
    await waitFor('eight at once', async () => (await legacy(cluster, 'pool-stats')).json.inUse === 8);
    await Promise.all(jobs);
    await waitFor('three again', async () => (await legacy(cluster, 'pool-stats')).json.totalSize === 3);
  });

  it('replaces a killed template and killed idle children in the background', async () => {
    cluster = await TestCluster.start({ settings: { PYTHON3_HEALTH_CHECK_SECONDS: '1' } });
    const templates = listProcessesMentioning(cluster.runDirectory);
    expect(templates.length).toBeGreaterThanOrEqual(2);
    templates.forEach(killIfThere);
    await assertOwnAnswers(cluster);
    await waitFor('a healthy pool', async () => (await legacy(cluster, 'pool-stats')).json.healthy >= 3);
    expect(listProcessesMentioning(cluster.runDirectory).some((pid) => templates.includes(pid))).toBe(false);
  });

  it('notices a stopped template by its own probe and replaces it', async () => {
    cluster = await TestCluster.start({ settings: { PYTHON3_HEALTH_CHECK_SECONDS: '1' } });
    const before = listProcessesMentioning(cluster.runDirectory);
    for (const pid of before) process.kill(pid, 'SIGSTOP');
    await waitFor(
      'the stopped ones to be gone',
      () => !listProcessesMentioning(cluster.runDirectory).some((pid) => before.includes(pid)),
      30_000,
    );
    await assertOwnAnswers(cluster);
  });

  it('drains on SIGTERM: what runs is finished, what waits stays for others', async () => {
    cluster = await TestCluster.start();
    const running = call(cluster, '/api/v1/jobs', sleepJob(2), waitHeader);
    await waitFor('it to run', async () => (await legacy(cluster, 'pool-stats')).json.inUse === 1);
    const stopped = cluster.workers[0]?.stop();
    expect((await running).json.outcome.status).toBe('succeeded');
    expect(await stopped).toBe(0);
    expect(readdirSync(cluster.runDirectory)).toEqual([]);
  });

  it('ends what outlasts the drain time, and the job runs again on the next node', async () => {
    cluster = await TestCluster.start({ settings: { PYTHON3_DRAIN_SECONDS: '1' } });
    const running = call(cluster, '/api/v1/jobs', sleepJob(4), waitHeader);
    await waitFor('it to run', async () => (await legacy(cluster, 'pool-stats')).json.inUse === 1);
    expect(await cluster.workers[0]?.stop()).toBe(0);
    cluster.startWorker();
    expect((await running).json).toMatchObject({ outcome: { status: 'succeeded' }, attempts: [{ number: 1 }, { number: 2 }] });
  });

  it.each([
    ['2', /PYTHON3_POOL_MIN must be a whole number from 3 to 20/],
    ['21', /PYTHON3_POOL_MIN must be a whole number from 3 to 20/],
    ['20', /PYTHON3_POOL_MIN must not be above PYTHON3_POOL_MAX/],
  ])('does not start with %s slots', async (size, message) => {
    cluster = await TestCluster.start({ workers: 0 });
    const worker = cluster.startWorker({ PYTHON3_POOL_MIN: size, PYTHON3_POOL_MAX: '4' });
    expect(await new Promise((resolve) => worker.process.once('exit', resolve))).toBe(2);
    expect(worker.log()).toMatch(message);
  });

  it('does not start where a better isolation level is required than it has', async () => {
    cluster = await TestCluster.start({ workers: 0 });
    const worker = cluster.startWorker({ PYTHON3_ISOLATION: 'A', PATH: folders.makePathWithoutBubblewrap() });
    expect(await new Promise((resolve) => worker.process.once('exit', resolve))).toBe(EXIT_CODES.usage);
    const missing = process.getuid?.() === 0 ? /namespaces: bubblewrap \(bwrap\) is not installed/ : /uid: .*CAP_SETUID/;
    expect(worker.log()).toMatch(/level [BC], and PYTHON3_ISOLATION=A is required.*ISOLATION_INSUFFICIENT/);
    expect(worker.log()).toMatch(missing);
  });

  it('does not start where ADMIN code would be shown a file with a secret', async () => {
    cluster = await TestCluster.start({ workers: 0 });
    const file = join(cluster.notes, 'signing.key');
    writeFileSync(file, SIGNING_KEY);
    const worker = cluster.startWorker({ PYTHON3_SIGNING_KEY: '', PYTHON3_SIGNING_KEY_FILE: file });
    expect(await new Promise((resolve) => worker.process.once('exit', resolve))).toBe(2);
    expect(worker.log()).toContain(`ADMIN code would be shown ${notesRoot()}, and ${file}`);
  });

  it('keeps its secrets out of the code’s environment, descriptors and command line', async () => {
    cluster = await TestCluster.start();
    const answer = await runAdminJob(cluster, { code: LOOK });
    expect(answer.json.outcome).toMatchObject({ status: 'succeeded' });
    const { environment, descriptors, mentions } = answer.json.outcome.value as {
      environment: string[];
      descriptors: string[];
      mentions: number;
    };
    expect(environment.filter((name) => /KEY|REDIS|PYTHON3/.test(name))).toEqual([]);
    expect(descriptors.filter((target) => !/null|std(out|err)|socket/.test(target))).toEqual([]);
    expect(mentions).toBe(0);
  });
});

/** What is killed takes others along. */
function killIfThere(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch (error) {
    expect((error as NodeJS.ErrnoException).code).toBe('ESRCH');
  }
}

const LOOK = `
import os
descriptors = []
for name in os.listdir('/proc/self/fd'):
    try:
        descriptors.append(os.readlink('/proc/self/fd/' + name))
    except OSError:
        pass
own = open('/proc/self/cmdline').read() + open('/proc/self/environ').read()
result = {'environment': sorted(os.environ), 'descriptors': descriptors, 'mentions': own.count('key-of-the-tests')}
`;
