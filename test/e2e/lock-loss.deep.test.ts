import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { LOCK_DURATION_MS } from '@python3-cluster/shared';
import { ADMIN_KEY, TestCluster } from '../support/test-cluster';
import { assertOwnAnswers } from '../support/call';
import { jobsOf } from '../support/jobs';
import { TcpProxy, type Cut } from '../support/tcp-proxy';
import { waitFor } from '../support/wait-for';

let cluster: TestCluster;
let proxy: TcpProxy;
let notes: string;
beforeEach(async () => {
  cluster = await TestCluster.start({ workers: 0 });
  notes = cluster.notes;
  proxy = await TcpProxy.start(Number(new URL(cluster.redisUrl).port));
});
afterEach(async () => {
  proxy.heal();
  await cluster.stop();
  await proxy.stop();
});

/** Notes the time in a file of its own every few milliseconds, until told to end. */
const NOTE_TAKER = `
import os, time
with open(f'{notes}/run-{os.urandom(8).hex()}', 'w', buffering=1) as file:
    while not os.path.exists(f'{notes}/end'):
        file.write(f'{time.time()}\\n')
        time.sleep(0.005)
result = os.getpid()
`;

interface Run {
  readonly first: number;
  readonly last: number;
}

/** Epoch milliseconds of the first and last sign of life of each process that ran the job, oldest first. */
function readRuns(): Run[] {
  const times = readdirSync(notes)
    .filter((name) => name.startsWith('run-'))
    .map((name) => readFileSync(join(notes, name), 'utf8').split('\n').slice(0, -1).map(Number))
    .filter((run) => run.length > 0)
    .map((run) => ({ first: (run[0] as number) * 1_000, last: (run.at(-1) as number) * 1_000 }));
  return times.sort((one, other) => one.first - other.first);
}

async function startJob(delivery: string): Promise<string> {
  const job = { code: NOTE_TAKER, variables: { notes }, mode: 'admin', delivery, timeoutMs: 60_000 };
  const id = await submit(job);
  await waitFor('the job to run', () => readRuns().length === 1);
  return id;
}

const { submit, show, ended } = jobsOf(() => cluster, { key: ADMIN_KEY });

async function startTwoNodes(startJobs: () => Promise<void>): Promise<void> {
  const remote = cluster.startWorker({ REDIS_URL: proxy.redisUrl, PYTHON3_NODE_NAME: 'cut-off' });
  await cluster.waitForWorkers(1);
  await startJobs();
  cluster.startWorker({ PYTHON3_NODE_NAME: 'other' });
  await cluster.waitForWorkers(2);
  expect(remote.process.exitCode).toBe(null);
}

describe.each<[Cut]>([['frozen'], ['dropped']])('a worker node whose connection to Redis is %s', (cut) => {
  it('ends what it runs before its lock can expire; another node runs it, and what comes late is ignored', async () => {
    let id = '';
    await startTwoNodes(async () => void (id = await startJob('at-least-once')));
    const cutAt = Date.now();
    proxy.cut(cut);
    await waitFor('a second run', () => readRuns().length === 2);
    const [first, second] = readRuns() as [Run, Run];
    expect(first.last).toBeLessThan(cutAt + LOCK_DURATION_MS);
    expect(first.last).toBeLessThan(second.first);
    writeFileSync(join(notes, 'end'), '');
    const job = await ended(id);
    expect(job).toMatchObject({ outcome: { status: 'succeeded' }, attempts: [{ number: 1 }, { number: 2 }] });
    expect(job.worker).toMatch(/^other-/);

    proxy.heal();
    await cluster.workers.pop()?.stop();
    await cluster.waitForWorkers(1);
    await assertOwnAnswers(cluster);
    expect((await show(id)).json).toEqual(job);
    expect(readRuns()).toHaveLength(2);
  }, 60_000);

  it('ends a job that may run once only, which is lost and does not run again', async () => {
    let id = '';
    await startTwoNodes(async () => void (id = await startJob('at-most-once')));
    const cutAt = Date.now();
    proxy.cut(cut);
    const job = await ended(id);
    expect(job).toMatchObject({ outcome: { status: 'lost', error: { type: 'WorkerLost' } }, attempts: [{ number: 1 }] });
    // It could not say so itself, and that it went down is not known.
    expect(job.outcome.error.message).toMatch(/^worker node cut-off-\w+ went down or was cut off from Redis; the job may have run/);
    expect(readRuns()[0]?.last).toBeLessThan(cutAt + LOCK_DURATION_MS);
    proxy.heal();
    await cluster.workers.pop()?.stop();
    await cluster.waitForWorkers(1);
    await assertOwnAnswers(cluster);
    expect((await show(id)).json).toEqual(job);
    expect(readRuns()).toHaveLength(1);
  }, 60_000);
});

it('a connection that is away for less than the lock’s time costs no job', async () => {
  cluster.startWorker({ REDIS_URL: proxy.redisUrl });
  await cluster.waitForWorkers(1);
  const id = await startJob('at-most-once');
  const cutAt = Date.now();
  proxy.cut('frozen');
  await waitFor('a moment to pass', () => Date.now() > cutAt + 400);
  proxy.heal();
  await waitFor('the job to outlive its first locks', () => (readRuns()[0]?.last ?? 0) > cutAt + 2 * LOCK_DURATION_MS);
  writeFileSync(join(notes, 'end'), '');
  expect(await ended(id)).toMatchObject({ outcome: { status: 'succeeded' }, attempts: [{ number: 1 }] });
}, 60_000);
