import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { createRedisKeys, type RedisKeys } from '@python3-cluster/shared';
import { Queue } from 'bullmq';
import { Redis } from 'ioredis';
import { SeededRandom } from '../contracts/seeded-random';
import { call, runJob, type Answer } from '../support/call';
import { jobsOf } from '../support/jobs';
import { NotedRuns } from '../support/noted-runs';
import { pause } from '../support/pause';
import { useStandardCluster } from '../support/standard-cluster';
import { ADMIN_KEY } from '../support/test-cluster';
import { waitFor } from '../support/wait-for';

const cluster = useStandardCluster();
let redis: Redis;
let keys: RedisKeys;
beforeAll(() => {
  redis = new Redis(cluster.redisUrl, { maxRetriesPerRequest: null });
  keys = createRedisKeys(cluster.namespace);
});
afterAll(() => redis.disconnect());

const asAdmin = { key: ADMIN_KEY };
const { submit, show, ended } = jobsOf(cluster, { ...asAdmin, mode: 'admin' });
const cancel = (id: string): Promise<Answer> => call(cluster, `/api/v1/jobs/${id}`, undefined, { ...asAdmin, method: 'DELETE' });

/** From then on nothing can start it again. */
const forgotten = (id: string): Promise<boolean> =>
  waitFor('the queue to have forgotten it', async () => (await redis.exists(keys.queueEntry('default', id))) === 0);
const { newMark, noting, runsOf } = new NotedRuns();

describe('a job with retryOn', () => {
  it('runs as often as it may, with longer and longer pauses, and has the outcome of its last attempt', async () => {
    const mark = newMark();
    const job = { code: noting(mark, 'raise ValueError(f"failed {run}")'), retryOn: ['failed'], attempts: 3, backoffMs: 400 };
    const { status, json } = await runJob(cluster, { mode: 'admin', ...job }, asAdmin);
    expect(status).toBe(200);
    expect(json.outcome).toMatchObject({ status: 'failed', stdout: 'run 3\n', error: { type: 'ValueError', message: 'failed 3' } });
    expect(json.attempts).toMatchObject([1, 2, 3].map((number) => ({ number, status: 'failed', error: { type: 'ValueError', message: `failed ${number}` } }))); // prettier-ignore
    const pauses = [1, 2].map((at) => json.attempts[at].startedAt - json.attempts[at - 1].finishedAt);
    expect(pauses[0]).toBeGreaterThanOrEqual(195);
    expect(pauses[1]).toBeGreaterThanOrEqual(395);
    await forgotten(json.id as string);
    expect(runsOf(mark)).toBe(3);
    expect((await show(json.id)).json.outcome).toEqual(json.outcome);
    const fields = await redis.hkeys(keys.jobRecord('default', json.id));
    for (const name of ['lastEnd', 'retryAt', 'startedBy', 'queuedBytes']) expect(fields).not.toContain(name);
  });

  it('that succeeds at last has succeeded, and says what came before', async () => {
    const code = noting(newMark(), 'result = run if run == 2 else 1 / 0');
    const { json } = await runJob(cluster, { mode: 'admin', code, retryOn: ['failed'], backoffMs: 0 }, asAdmin);
    expect(json.outcome).toMatchObject({ status: 'succeeded', value: 2 });
    expect(json.attempts).toMatchObject([
      { status: 'failed', error: { type: 'ZeroDivisionError' } },
      { status: 'succeeded', error: null },
    ]);
    const { json: page } = await call(cluster, '/api/v1/jobs?limit=1', undefined, asAdmin);
    expect(page.jobs[0].attempts[0].error).toEqual({ type: 'ZeroDivisionError' });
  });

  it.each([
    ['timed_out', 'while True: pass', { timeoutMs: 200 }],
    ['crashed', 'import os\nos._exit(3)', {}],
    ['out_of_memory', 'raise MemoryError()', {}],
    ['cpu_exceeded', 'while True: pass', { cpuSeconds: 1, timeoutMs: 100_000 }],
  ])(
    'is started again where it %s, if that is named, and else not',
    async (status, code, limits) => {
      const job = { ...limits, mode: 'admin', code, attempts: 2, backoffMs: 0 };
      // CPU time takes as long as the machine's other work lets it.
      const patient = { ...asAdmin, headers: { prefer: 'wait=200' } };
      const again = await runJob(cluster, { ...job, retryOn: [status] }, patient);
      expect(again.json).toMatchObject({ outcome: { status }, attempts: [{ status }, { status }] });
      const once = await runJob(cluster, { ...job, retryOn: ['failed'] }, patient);
      expect([once.json.outcome.status, once.json.attempts.length]).toEqual([status, 1]);
    },
    400_000,
  );

  it('at once keeps its lock however long it then runs: it is not taken for lost', async () => {
    // One at a time: the node's other loops are idle then, and one of them takes the entry the moment it is back.
    for (let round = 0; round < 3; round += 1) {
      const code = noting(newMark(), 'import time\nresult = run if run > 1 else 1 / 0\ntime.sleep(3)');
      const id = await submit({ code, timeoutMs: 60_000, attempts: 3, retryOn: ['failed'], backoffMs: 0 });
      const { outcome, attempts } = await ended(id);
      expect([outcome.value, attempts.map(({ status }: { status: string }) => status)]).toEqual([2, ['failed', 'succeeded']]);
    }
  }, 60_000);

  it('shows itself as delayed between attempts, and is cancelled there at once', async () => {
    const mark = newMark();
    const id = await submit({ code: noting(mark, 'raise ValueError("no")'), retryOn: ['failed'], backoffMs: 3_600_000 });
    const job = await waitFor('its pause', async () => {
      const { json } = await show(id);
      return json.state === 'delayed' && json;
    });
    expect(job).toMatchObject({ outcome: null, attempts: [{ status: 'failed', error: { message: 'no' } }] });
    expect(job.startAfter).toBeGreaterThan(Date.now() + 1_000_000);
    await waitFor('its entry to be delayed', async () => (await redis.zscore(keys.queueEntry('default', 'delayed'), id)) !== null);
    const answer = await cancel(id);
    expect(answer.json).toMatchObject({ outcome: { status: 'cancelled' }, attempts: [{ status: 'failed' }] });
    await waitFor('its entry to be gone', async () => (await redis.exists(keys.queueEntry('default', id))) === 0);
    expect(runsOf(mark)).toBe(1);
  });

  it('whose entry is handed out before its time, as after the loss of its node, waits all the same', async () => {
    const id = await submit({ code: noting(newMark(), 'result = 1 / (run - 1)'), retryOn: ['failed'], backoffMs: 4_000 });
    await waitFor('its pause', async () => (await redis.zscore(keys.queueEntry('default', 'delayed'), id)) !== null);
    const queue = new Queue(keys.queueName, { connection: redis, prefix: keys.queuePrefix('default'), skipVersionCheck: true });
    await (await queue.getJob(id))?.promote();
    await queue.close();
    const { attempts, outcome } = await ended(id);
    expect(outcome.status).toBe('succeeded');
    expect(attempts[1].startedAt - attempts[0].finishedAt).toBeGreaterThanOrEqual(1_990);
  });

  it('that would come too late is not retried, and one that comes too late has the outcome of its last attempt', async () => {
    const failing = { code: 'print("said")\nraise ValueError("it")', retryOn: ['failed'] };
    const { json } = await runJob(cluster, { ...failing, backoffMs: 60_000, expiresInMs: 10_000 });
    expect(json).toMatchObject({ outcome: { status: 'failed' }, attempts: [{ status: 'failed' }] });
    const late = await submit({ ...failing, backoffMs: 1_000, expiresInMs: 2_000 });
    await waitFor('its pause', async () => (await show(late)).json.state === 'delayed');
    const held = await Promise.all([1, 2, 3].map(() => submit({ code: 'import time\ntime.sleep(3)' })));
    const job = await ended(late);
    expect(job).toMatchObject({ outcome: { status: 'failed', stdout: 'said\n', error: { message: 'it' } }, attempts: [{ number: 1 }] });
    expect(job.attempts).toHaveLength(1);
    for (const id of held) await ended(id);
  }, 400_000);

  it('whose recorded end somebody forges has no outcome made of it', async () => {
    const late = await submit({ code: 'raise ValueError("true")', retryOn: ['failed'], backoffMs: 1_000, expiresInMs: 2_000 });
    await waitFor('its pause', async () => (await show(late)).json.state === 'delayed');
    const record = keys.jobRecord('default', late);
    await redis.hset(record, 'lastEnd', ((await redis.hget(record, 'lastEnd')) ?? '').replace('true', 'fake'));
    const held = await Promise.all([1, 2, 3].map(() => submit({ code: 'import time\ntime.sleep(3)' })));
    expect((await ended(late)).outcome).toMatchObject({ status: 'expired' });
    for (const id of held) await ended(id);
  }, 30_000);
});

it('cancels at random moments of retried jobs: one outcome each, and no run after it', async () => {
  const random = new SeededRandom(7);
  const endings: Record<string, number> = {};
  const race = async (): Promise<void> => {
    const mark = newMark();
    const id = await submit({ code: noting(mark, 'raise ValueError("no")'), retryOn: ['failed'], attempts: 4, backoffMs: 20 });
    await pause(random.below(400));
    await cancel(id);
    const { outcome, attempts } = await ended(id);
    const runs = runsOf(mark);
    expect(runs).toBeLessThanOrEqual(attempts.length);
    await forgotten(id);
    expect([runsOf(mark), (await show(id)).json.outcome]).toEqual([runs, outcome]);
    endings[outcome.status] = (endings[outcome.status] ?? 0) + 1;
  };
  for (let round = 0; round < 8; round += 1) await Promise.all(Array.from({ length: 5 }, race));
  expect((endings['cancelled'] ?? 0) + (endings['failed'] ?? 0)).toBe(40);
  expect(endings['cancelled']).toBeGreaterThan(0);
  await waitFor('an empty queue', async () => (await redis.keys(keys.queueEntry('default', 'default.*'))).length === 0);
}, 90_000);
