import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Redis } from 'ioredis';
import { ADMIN_KEY, DEVELOPER_KEY, TestCluster } from '../support/test-cluster';
import { call, runJob, type Answer } from '../support/call';
import { jobsOf } from '../support/jobs';
import { waitFor } from '../support/wait-for';

let cluster: TestCluster;
let redis: Redis;
beforeAll(async () => {
  cluster = await TestCluster.start({ workers: 0, apis: 2, settings: { PYTHON3_POOL_MAX: '3' } });
  cluster.startWorker({ PYTHON3_LANES: 'default' });
  cluster.startWorker({ PYTHON3_LANES: 'vision' });
  await cluster.waitForWorkers(2);
  redis = new Redis(cluster.redisUrl);
});
afterAll(async () => {
  redis.disconnect();
  await cluster.stop();
});

interface Item {
  readonly [member: string]: unknown;
  readonly id: string;
  readonly createdAt: number;
}

const list = (query = '', key = DEVELOPER_KEY, replica = 0): Promise<Answer> =>
  call(cluster, `/api/v1/jobs${query}`, undefined, { key, replica });
const listed = async (query = '', key = DEVELOPER_KEY): Promise<Item[]> => (await list(query, key)).json.jobs as Item[];
const idsOf = (jobs: readonly Item[]): string[] => jobs.map((job) => job.id);
const jobs = jobsOf(() => cluster);
/** One a millisecond at most, so that the order in which they were accepted is the order of the list. */
async function submit(job: object, key = DEVELOPER_KEY): Promise<string> {
  const { createdAt, id } = await jobs.accept(job, { key });
  await waitFor('the next millisecond', () => Date.now() > createdAt);
  return id as string;
}

async function readAll(query: string, key = DEVELOPER_KEY): Promise<{ jobs: Item[]; pages: number }> {
  const jobs: Item[] = [];
  for (let cursor = '', pages = 1; ; pages += 1) {
    // Any replica goes on where another ended.
    const answer = await list(`?${query}${cursor && `&cursor=${cursor}`}`, key, pages % 2);
    expect(answer.status).toBe(200);
    jobs.push(...(answer.json.jobs as Item[]));
    if (answer.json.nextCursor === null) return { jobs, pages };
    cursor = answer.json.nextCursor as string;
  }
}

describe('GET /api/v1/jobs', () => {
  const own: string[] = [];
  const admins: string[] = [];
  beforeAll(async () => {
    for (let index = 0; index < 8; index += 1) own.push(await submit({ code: 'print("secret output")\nresult = "secret value"' }));
    own.push(await submit({ expression: '"secret" + 1', lane: 'vision' }));
    own.push(await submit({ module: 'math', function: 'sqrt', args: [4], lane: 'vision' }));
    for (let index = 0; index < 3; index += 1) admins.push(await submit({ code: 'raise ValueError("secret message")' }, ADMIN_KEY));
    await waitFor('all to end', async () => (await listed('?state=finished', ADMIN_KEY)).length === 13);
  });

  it('lists the caller’s own jobs, newest first, and nobody else’s', async () => {
    expect(idsOf(await listed())).toEqual([...own].reverse());
  });

  it('shows an admin everybody’s, or one owner’s', async () => {
    expect(idsOf(await listed('', ADMIN_KEY))).toEqual([...own, ...admins].reverse());
    expect(idsOf(await listed('?owner=key:developer', ADMIN_KEY))).toEqual([...own].reverse());
    expect(idsOf(await listed('?owner=key:admin', ADMIN_KEY))).toEqual([...admins].reverse());
    expect(await listed('?owner=nobody', ADMIN_KEY)).toEqual([]);
    const foreign = await list('?owner=key:admin');
    expect([foreign.status, foreign.json.error.code]).toEqual([403, 'AUTH_ROLE_INSUFFICIENT']);
    expect(idsOf(await listed('?owner=key:developer'))).toEqual([...own].reverse());
  });

  it('tells nothing of code, values, output or messages', async () => {
    const answer = await list('', ADMIN_KEY);
    expect(answer.text).not.toMatch(/secret|traceback|stdout|"value"/);
    expect(answer.headers.get('cache-control')).toBe('no-store');
    const [failed] = answer.json.jobs as Item[];
    expect(failed).toEqual({
      id: admins[2], owner: 'key:admin', kind: 'exec', mode: 'restricted', isolation: 'fresh', lane: 'default', state: 'finished', level: expect.stringMatching(/^[ABC]$/),
      outcome: { status: 'failed', truncated: false, error: { type: 'ValueError' } },
      timings: { queuedMs: expect.any(Number), runMs: expect.any(Number), totalMs: expect.any(Number), cpuMs: expect.any(Number), maxMemoryBytes: expect.any(Number) },
      worker: expect.any(String), attempts: [{ number: 1, worker: expect.any(String), startedAt: expect.any(Number), status: 'failed', error: { type: 'ValueError' }, finishedAt: expect.any(Number) }],
      limitsHit: [], traceId: expect.stringMatching(/^[0-9a-f]{32}$/), priority: 50, labels: {}, startAfter: null,
      createdAt: expect.any(Number), cancelRequestedAt: null, finishedAt: expect.any(Number), links: { self: `/api/v1/jobs/${admins[2]}` },
    }); // prettier-ignore
  });

  it('filters by state, status, lane and kind, also together', async () => {
    expect(idsOf(await listed('?lane=vision'))).toEqual([own[9], own[8]]);
    expect(idsOf(await listed('?kind=call'))).toEqual([own[9]]);
    expect(idsOf(await listed('?kind=eval&lane=vision&status=failed'))).toEqual([own[8]]);
    expect(idsOf(await listed('?status=failed', ADMIN_KEY))).toEqual([admins[2], admins[1], admins[0], own[8]]);
    expect(await listed('?status=failed&state=waiting')).toEqual([]);
    expect(await listed('?status=cancelled')).toEqual([]);
    const sleeper = await submit({ code: 'import time\ntime.sleep(30)' });
    const active = await waitFor('it to run', async () => {
      const jobs = await listed('?state=active');
      return jobs.length > 0 && jobs;
    });
    expect(active).toMatchObject([{ id: sleeper, state: 'active', outcome: null, timings: null, attempts: [{ number: 1 }] }]);
    await call(cluster, `/api/v1/jobs/${sleeper}`, undefined, { method: 'DELETE' });
    expect(await listed('?status=cancelled')).toMatchObject([{ id: sleeper, cancelRequestedAt: expect.any(Number) }]);
    own.push(sleeper);
  });

  it('goes through pages without a gap or a repetition, while jobs are added', async () => {
    const before = [...own].reverse();
    const first = await list('?limit=4');
    expect(idsOf(first.json.jobs as Item[])).toEqual(before.slice(0, 4));
    own.push((await runJob(cluster, { code: 'result = 1' })).json.id as string);
    const second = await list(`?limit=200&cursor=${first.json.nextCursor}`);
    expect(idsOf(second.json.jobs as Item[])).toEqual(before.slice(4));
    expect(second.json.nextCursor).toBeNull();
    for (const limit of [1, 2, 3, 5, 200]) {
      expect(idsOf((await readAll(`limit=${limit}`)).jobs)).toEqual([...own].reverse());
    }
    expect(idsOf((await readAll('limit=1&status=failed', ADMIN_KEY)).jobs)).toEqual([...[...admins].reverse(), own[8]]);
  });

  it('goes through jobs of one and the same millisecond', async () => {
    const index = `${cluster.namespace}:jobs:key:developer`;
    const scores = (await redis.zrange(index, '0', '-1', 'WITHSCORES')).filter((_, at) => at % 2 === 1);
    const members = await redis.zrange(index, '0', '-1');
    for (const member of members) await redis.zadd(index, 5, member);
    try {
      const byText = [...members].sort().reverse();
      for (const limit of [1, 3, 7]) expect(idsOf((await readAll(`limit=${limit}`)).jobs)).toEqual(byText);
    } finally {
      for (const [at, member] of members.entries()) await redis.zadd(index, scores[at] as string, member);
    }
  });

  it('leaves out and forgets jobs whose record is gone, and does not list a record that is not ours', async () => {
    const index = `${cluster.namespace}:jobs:key:developer`;
    const [gone, forged] = [await submit({ code: 'result = 1' }), await submit({ code: 'result = 1' })];
    await waitFor('both to end', async () => (await listed('?state=finished&limit=2')).map((job) => job.id).join() === `${forged},${gone}`);
    await redis.del(`${cluster.namespace}:{default}:job:${gone}`);
    await redis.hset(`${cluster.namespace}:{default}:job:${forged}`, 'job', 'forged');
    // Somebody else's job, smuggled into the index: its sealed record says whose it is.
    await redis.zadd(index, Date.now() + 1_000, admins[0] as string);
    expect(idsOf(await listed())).toEqual([...own].reverse());
    await waitFor('the entry to be gone', async () => (await redis.zscore(index, gone)) === null);
    await redis.zrem(index, admins[0] as string, forged);
    await redis.zrem(`${cluster.namespace}:jobs`, forged);
  });

  it('is bounded, and its index expires', async () => {
    const index = `${cluster.namespace}:jobs:key:admin`;
    const fill = Array.from({ length: 10_050 }, (_, at) => [at, `default.${String(at).padStart(26, '0')}`]).flat();
    await redis.zadd(index, ...fill);
    await waitFor('a trim', async () => {
      await submit({ code: 'result = 1' }, ADMIN_KEY);
      return (await redis.zcard(index)) <= 10_000;
    });
    expect(await redis.ttl(index)).toBeGreaterThan(14 * 86_400);
    // Thousands of entries without a record do not keep anybody from the end of the list.
    const { jobs } = await readAll('limit=200&owner=key:admin', ADMIN_KEY);
    expect(idsOf(jobs).slice(-3)).toEqual([...admins].reverse());
    expect(await redis.zcard(index)).toBe(jobs.length);
  });

  it.each([
    ['?nonsense=1', 'REQUEST_UNKNOWN_FIELD', /'nonsense'/],
    ['?state=gone', 'REQUEST_INVALID', /'waiting', 'delayed', 'active' or 'finished'/],
    ['?status=ok', 'REQUEST_INVALID', /'succeeded', .* or 'rejected'/],
    ['?kind=script', 'REQUEST_INVALID', /'kind'/],
    ['?lane=No+Lane', 'REQUEST_INVALID', /'lane'/],
    ['?limit=0', 'REQUEST_INVALID', /from 1 to 200/],
    ['?limit=201', 'REQUEST_INVALID', /from 1 to 200/],
    ['?limit=1e2', 'REQUEST_INVALID', /from 1 to 200/],
    ['?limit=', 'REQUEST_INVALID', /from 1 to 200/],
    ['?limit=1&limit=2', 'REQUEST_INVALID', /twice/],
    ['?cursor=', 'REQUEST_INVALID', /'cursor'/],
    ['?cursor=%00', 'REQUEST_INVALID', /'cursor'/],
    [`?cursor=${Buffer.from('1:default.x').toString('base64url')}`, 'REQUEST_INVALID', /'cursor'/],
  ])('refuses %s', async (query, code, message) => {
    const answer = await list(query);
    expect([answer.status, answer.json.error.code]).toEqual([400, code]);
    expect(answer.json.error.message).toMatch(message);
  });

  it('needs a key, and takes GET and POST', async () => {
    expect((await call(cluster, '/api/v1/jobs', undefined, { key: null })).status).toBe(401);
    const patched = await call(cluster, '/api/v1/jobs', {}, { method: 'PATCH' });
    expect([patched.status, patched.headers.get('allow')]).toEqual([405, 'POST, GET, HEAD']);
  });
});
