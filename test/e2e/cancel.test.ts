import { existsSync, readFileSync } from 'node:fs';
import { request } from 'node:http';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Redis } from 'ioredis';
import { SeededRandom } from '../contracts/seeded-random';
import { STANDARD_SLOTS, useStandardCluster } from '../support/standard-cluster';
import { ADMIN_KEY, DEVELOPER_KEY } from '../support/test-cluster';
import { assertOwnAnswers, call, exec, legacy, type Answer } from '../support/call';
import { listAlive } from '../support/descendants';
import { jobsOf } from '../support/jobs';
import { linesWith } from '../support/log-lines';
import { waitFor } from '../support/wait-for';

/** Promised is about a second; a machine that is busy with other tests gets more. */
const PROMPTLY_MS = 2_500;
const cluster = useStandardCluster();
let redis: Redis;
beforeAll(() => void (redis = new Redis(cluster.redisUrl)));
afterAll(() => redis.disconnect());

const asAdmin = { key: ADMIN_KEY };
const { submit } = jobsOf(cluster);
const { show } = jobsOf(cluster, asAdmin);
const cancel = (id: string, replica = 0, key = DEVELOPER_KEY): Promise<Answer> =>
  call(cluster, `/api/v1/jobs/${id}`, undefined, { method: 'DELETE', replica, key });
/** Asked until there is an outcome, which is at once unless the machine is very busy. */
const cancelAndSee = (id: string, replica = 0, key = DEVELOPER_KEY): Promise<Answer> =>
  waitFor('its outcome', async () => {
    const answer = await cancel(id, replica, key);
    return answer.status !== 202 && answer;
  });
const inUse = async (): Promise<number> => (await legacy(cluster, 'pool-stats')).json.inUse as number;
const sleepJob = (seconds: number): object => ({ code: `import time\ntime.sleep(${seconds})\nresult = 'slept'` });
const recordKey = (id: string): string => `${cluster.namespace}:{default}:job:${id}`;
const queueLeft = async (): Promise<number> => (await redis.keys(`${cluster.namespace}:{default}:queue:default.*`)).length;

/** ADMIN code that says which process it is, sleeps, and then would act on the plant. */
function actLater(name: string, seconds: number): { code: string; started: string; acted: string; job: object } {
  const started = join(cluster.notes, `${name}-started`);
  const acted = join(cluster.notes, `${name}-acted`);
  const code = [
    'import os, subprocess, time',
    "helper = subprocess.Popen(['sleep', '600'])",
    `with open('${started}.part', 'w') as file: file.write(f'{os.getcwd()} {os.getpid()} {helper.pid}')`,
    `os.rename('${started}.part', '${started}')`,
    `time.sleep(${seconds})`,
    `open('${acted}', 'w').close()`,
  ].join('\n');
  return { code, started, acted, job: { code, mode: 'admin', delivery: 'at-most-once' } };
}

async function pidsOf(started: string): Promise<number[]> {
  await waitFor('the code to run', () => existsSync(started));
  const [scratch, ...pids] = readFileSync(started, 'utf8').split(' ');
  return pids.map((pid) => cluster.hostPid(Number(pid), scratch as string));
}

/** Nobody has acted, although the time for it has come. */
async function assertNeverActs(acted: string, since: number, seconds: number): Promise<void> {
  await waitFor('the time at which it would have acted', () => performance.now() - since > seconds * 1_000 + 500);
  expect(existsSync(acted)).toBe(false);
}

describe('DELETE /api/v1/jobs/{id}', () => {
  it('of a running job: 200, its processes are dead, what it printed is kept, and it never acts', async () => {
    const later = actLater('active', 3);
    const id = await submit({ ...later.job, code: `print('begun', flush=True)\n${later.code}` }, asAdmin);
    const pids = await pidsOf(later.started);
    const since = performance.now();
    // Through the other replica, which knows nothing of it.
    const answer = await cancelAndSee(id, 1, ADMIN_KEY);
    expect(performance.now() - since).toBeLessThan(PROMPTLY_MS);
    expect(answer.status).toBe(200);
    expect(answer.json).toMatchObject({
      state: 'finished',
      outcome: { status: 'cancelled', value: null, stdout: 'begun\n', error: { type: 'Cancelled', message: 'the job was cancelled' } },
      attempts: [{ number: 1 }],
    });
    expect(answer.json.cancelRequestedAt).toBeGreaterThanOrEqual(answer.json.createdAt);
    expect(listAlive(pids)).toEqual([]);
    await assertNeverActs(later.acted, since, 3);
    expect((await show(id)).json.outcome.status).toBe('cancelled');
  });

  it('of a job deep in a long queue: 200 at once, never started, and the queue forgets it', async () => {
    const held = await Promise.all(Array.from({ length: STANDARD_SLOTS }, () => submit(sleepJob(30))));
    await waitFor('every slot to be held', async () => (await inUse()) === STANDARD_SLOTS);
    const ids = await Promise.all(Array.from({ length: 300 }, (_, index) => submit({ code: 'result = i', variables: { i: index } })));
    const middle = ids[150] as string;
    const startedAt = performance.now();
    const answer = await cancelAndSee(middle);
    expect(performance.now() - startedAt).toBeLessThan(PROMPTLY_MS);
    expect([answer.status, answer.json.outcome.status, answer.json.attempts]).toEqual([200, 'cancelled', []]);
    expect(answer.json.outcome.error.message).toBe('the job was cancelled before it was started');
    await waitFor('its queue entry to be gone', async () => (await redis.exists(`${cluster.namespace}:{default}:queue:${middle}`)) === 0);
    // And all at once: the others, and those that hold the slots.
    const answers = await Promise.all([...ids, ...held].map((id, index) => cancel(id, index % 2)));
    for (const { status } of answers) expect([200, 202]).toContain(status);
    for (const id of [...ids, ...held]) {
      const job = await waitFor('its outcome', async () => ((await show(id)).json.outcome as { status: string } | null) ?? undefined);
      expect(job.status).toMatch(/^(cancelled|succeeded)$/);
    }
    expect((await show(held[0] as string)).json.outcome.status).toBe('cancelled');
    await waitFor('an empty queue', async () => (await queueLeft()) === 0);
    await waitFor('an empty list of cancellations', async () => (await redis.exists(`${cluster.namespace}:{default}:cancels`)) === 0);
    const replayed = linesWith(cluster.workers.map((worker) => worker.log()).join(''), 'JOB_REPLAYED');
    expect(replayed.filter((line) => ids.some((id) => line.includes(id)))).toEqual([]);
    await assertOwnAnswers(cluster);
  });

  it('of a finished job: 200 with its own outcome, as often as one likes', async () => {
    const done = await call(cluster, '/api/v1/jobs', { code: 'result = 42' }, { headers: { prefer: 'wait=10' } });
    for (const replica of [0, 1, 0]) {
      const answer = await cancel(done.json.id as string, replica);
      expect([answer.status, answer.json.outcome.status, answer.json.outcome.value]).toEqual([200, 'succeeded', 42]);
      expect(answer.json.cancelRequestedAt).toBeNull();
    }
  });

  it('of somebody else’s job: 404, and it runs on; an admin may', async () => {
    const id = await submit(sleepJob(20), asAdmin);
    const foreign = await cancel(id);
    expect([foreign.status, foreign.json.error.code]).toEqual([404, 'JOB_NOT_FOUND']);
    expect(await redis.hexists(recordKey(id), 'cancelRequested')).toBe(0);
    const own = await submit(sleepJob(20));
    for (const each of [id, own]) expect((await cancelAndSee(each, 0, ADMIN_KEY)).json.outcome.status).toBe('cancelled');
    for (const unknown of ['default.00000000000000000000000000', 'nonsense', 'x'.repeat(500)]) {
      expect((await cancel(unknown)).status).toBe(404);
    }
    expect((await call(cluster, `/api/v1/jobs/${id}`, undefined, { method: 'DELETE', key: null })).status).toBe(401);
    expect((await call(cluster, `/api/v1/jobs/${id}?force=1`, undefined, { method: 'DELETE' })).json.error.code).toBe(
      'REQUEST_UNKNOWN_FIELD',
    );
    const put = await call(cluster, `/api/v1/jobs/${id}`, {}, { method: 'PUT' });
    expect([put.status, put.headers.get('allow')]).toEqual([405, 'GET, DELETE, HEAD']);
  });

  it('is seen by the node that runs the job also when its message was dropped', async () => {
    const later = actLater('dropped', 3);
    const id = await submit(later.job, asAdmin);
    const pids = await pidsOf(later.started);
    const since = performance.now();
    // What requestCancel writes, without what it publishes.
    await redis.hset(recordKey(id), 'cancelRequested', Date.now());
    await redis.zadd(`${cluster.namespace}:{default}:cancels`, Date.now(), id);
    await waitFor('the outcome', async () => (await show(id)).json.outcome?.status === 'cancelled');
    expect(performance.now() - since).toBeLessThan(PROMPTLY_MS);
    expect(listAlive(pids)).toEqual([]);
    await assertNeverActs(later.acted, since, 3);
  });
});

describe('a caller of the predecessor’s routes that hangs up', () => {
  function hangUpable(code: string): { hangUp: () => void } {
    const sent = request(cluster.url('/data/python3integration/api/v1/exec'), {
      method: 'POST',
      headers: { 'x-python3-admin-key': ADMIN_KEY, 'content-type': 'application/json' },
    });
    sent.on('error', () => undefined);
    sent.end(JSON.stringify({ code }));
    return { hangUp: () => sent.destroy() };
  }

  it('while its code sleeps: the processes are dead within a second, and nothing acts later', async () => {
    const later = actLater('hang-up', 3);
    const { hangUp } = hangUpable(later.code);
    const pids = await pidsOf(later.started);
    const since = performance.now();
    hangUp();
    await waitFor('the processes to be dead', () => listAlive(pids).length === 0, PROMPTLY_MS);
    await assertNeverActs(later.acted, since, 3);
    await assertOwnAnswers(cluster);
  });

  it('while its job waits in the queue: it is never started, and has its outcome', async () => {
    const held = await Promise.all(Array.from({ length: STANDARD_SLOTS }, () => submit(sleepJob(30))));
    await waitFor('every slot to be held', async () => (await inUse()) === STANDARD_SLOTS);
    const before = new Set(await redis.keys(recordKey('*')));
    const later = actLater('hang-up-waiting', 0);
    const { hangUp } = hangUpable(later.code);
    const record = await waitFor('its record', async () => (await redis.keys(recordKey('*'))).find((key) => !before.has(key)));
    hangUp();
    const id = record.slice(record.lastIndexOf(':') + 1);
    await waitFor('its outcome', async () => (await show(id)).json.outcome?.status === 'cancelled', PROMPTLY_MS);
    expect((await show(id)).json.attempts).toEqual([]);
    await Promise.all(held.map((each) => cancel(each)));
    await assertOwnAnswers(cluster);
    expect([existsSync(later.started), existsSync(later.acted)]).toEqual([false, false]);
  });

  it('is told nothing of the sort where it stays: a modern caller’s preferred wait may end without its job', async () => {
    const aborter = new AbortController();
    const waiting = fetch(cluster.url('/api/v1/jobs'), {
      method: 'POST',
      signal: aborter.signal,
      headers: { authorization: `Bearer ${DEVELOPER_KEY}`, 'content-type': 'application/json', prefer: 'wait=30' },
      body: JSON.stringify({ code: 'import time\ntime.sleep(1)\nresult = "went on"' }),
    }).catch(() => undefined);
    const before = await inUse();
    await waitFor('it to run', async () => (await inUse()) > before || undefined, 3_000).catch(() => undefined);
    const [newest] = (await call(cluster, '/api/v1/jobs?limit=1')).json.jobs as { id: string }[];
    aborter.abort();
    await waiting;
    const outcome = await waitFor(
      'its outcome',
      async () => ((await show(newest?.id ?? '')).json.outcome as { value: string } | null) ?? undefined,
    );
    expect(outcome.value).toBe('went on');
  });
});

it('50 cancels at random moments of a job’s life, through both replicas: one outcome each, told alike to everybody', async () => {
  const random = new SeededRandom(20_261_123);
  const endings = { cancelled: 0, succeeded: 0 };
  const race = async (): Promise<void> => {
    const id = await submit({ code: 'import time\ntime.sleep(0.05)\nprint("ran")\nresult = 1' });
    const cancels = Array.from({ length: 1 + random.below(3) }, async (_, index) => {
      await new Promise((resolve) => setTimeout(resolve, random.below(130)));
      return cancel(id, index % 2);
    });
    const answers = await Promise.all(cancels);
    const last = await waitFor('its outcome', async () => {
      const { json } = await show(id);
      return json.outcome ? (json as { outcome: { status: 'cancelled' | 'succeeded'; stdout: string } }) : undefined;
    });
    for (const { status, json } of answers) {
      // Nobody is ever told of an outcome that is not the job's.
      expect(status === 202 ? null : last.outcome).toEqual(json.outcome);
    }
    if (last.outcome.status === 'succeeded') expect(last.outcome.stdout).toBe('ran\n');
    endings[last.outcome.status] += 1;
  };
  for (let round = 0; round < 10; round += 1) await Promise.all(Array.from({ length: 5 }, race));
  expect(endings.cancelled + endings.succeeded).toBe(50);
  expect(Math.min(endings.cancelled, endings.succeeded)).toBeGreaterThan(0);
  await waitFor('an empty queue', async () => (await queueLeft()) === 0);
  await assertOwnAnswers(cluster);
  expect((await exec(cluster, 'result = 1')).json.result).toBe(1);
});
