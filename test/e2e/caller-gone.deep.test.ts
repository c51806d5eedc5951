import { readdirSync } from 'node:fs';
import { afterEach, expect, it } from '@jest/globals';
import { createRedisKeys, RECORD_FIELDS } from '@python3-cluster/shared';
import { Redis } from 'ioredis';
import { call, execAsAdmin, legacy, type Answer } from '../support/call';
import { GatedJobs } from '../support/gated-jobs';
import { RedisServer } from '../support/redis-servers';
import { ADMIN_KEY, TestCluster } from '../support/test-cluster';
import { waitFor } from '../support/wait-for';

const stops: (() => unknown)[] = [];
afterEach(async () => {
  for (const stop of stops.splice(0).reverse()) await stop();
});

interface Scene {
  readonly cluster: TestCluster;
  readonly redis: Redis;
  readonly keys: ReturnType<typeof createRedisKeys>;
  /** Ids of the jobs whose callers wait, at the second replica. */
  readonly waiting: readonly string[];
  readonly calls: readonly Promise<Answer | undefined>[];
  /** Of jobs that nobody waits for, accepted by the same replica. */
  readonly asynchronous: readonly string[];
  readonly openGates: () => void;
  readonly ran: () => string[];
}

const NOTE = 'open(f"{notes}/{name}", "w").close()\nresult = name';
const SLOTS = 3;

/** Every slot is taken; jobs of callers at the second replica wait behind, and jobs that nobody waits for. */
async function startScene(): Promise<Scene> {
  const cluster = await TestCluster.start({ workers: 0, apis: 2 });
  stops.push(() => cluster.stop());
  cluster.startWorker({ PYTHON3_POOL_MAX: String(SLOTS) });
  await cluster.waitForWorkers(1);
  const redis = new Redis(cluster.redisUrl, { protocol: 2 });
  stops.push(() => redis.disconnect());
  const keys = createRedisKeys(cluster.namespace);
  const gated = new GatedJobs('gone');
  stops.push(() => gated.clean());
  const gates = Array.from({ length: SLOTS }, () => gated.make('gate()'));
  const states = (ids: readonly string[]): Promise<(string | null)[]> =>
    Promise.all(ids.map((id) => redis.hget(keys.jobRecord('default', id), RECORD_FIELDS.state)));
  const post = async (job: object, replica: number): Promise<string> =>
    (await call(cluster, '/api/v1/jobs', job, { key: ADMIN_KEY, replica })).json.id as string;
  const holders = await Promise.all(gates.map(({ job }) => post(job, 0)));
  await waitFor('every slot to be taken', async () => (await states(holders)).every((state) => state === 'active'));
  const variables = (name: string): object => ({ notes: cluster.notes, name });
  const asynchronous = await Promise.all(['async-1', 'async-2'].map((name) => post({ code: NOTE, variables: variables(name), mode: 'admin' }, 1)));
  const known = new Set([...holders, ...asynchronous]);
  const calls = ['a', 'b', 'c', 'd'].map((name) =>
    legacy(cluster, 'exec', { code: NOTE, variables: variables(name) }, { key: null, replica: 1, headers: { 'x-python3-admin-key': ADMIN_KEY } }).catch(() => undefined),
  );
  const waiting = await waitFor('the jobs of those who wait', async () => {
    const open = (await redis.zrange(keys.openJobs('default'), '0', '-1')).filter((id) => !known.has(id));
    return open.length === calls.length && open;
  });
  return { cluster, redis, keys, waiting, calls, asynchronous, openGates: () => gates.forEach(({ open }) => open()), ran: () => readdirSync(cluster.notes).sort() };
} // prettier-ignore

/** Until Redis says so: nothing goes by the test's clock. */
const holdsOver = ({ redis, keys, waiting }: Scene): Promise<unknown> =>
  waitFor('their holds to be over', async () => {
    const [seconds] = await redis.time();
    const ends = await Promise.all(waiting.map((id) => redis.hget(keys.jobRecord('default', id), RECORD_FIELDS.heldUntil)));
    return ends.every((end) => Number(end ?? 0) < Number(seconds) * 1_000);
  });

const outcomeOf = ({ cluster }: Scene, id: string): Promise<{ status: string; error: { message: string } | null }> =>
  waitFor(
    `the outcome of ${id}`,
    async () => (await call(cluster, `/api/v1/jobs/${id}`, undefined, { key: ADMIN_KEY })).json.outcome ?? undefined,
    30_000,
  );

it('a replica that is killed takes the waiting jobs of its callers along, and no others', async () => {
  const scene = await startScene();
  await scene.cluster.apis[1]?.stop('SIGKILL');
  await Promise.all(scene.calls);
  await holdsOver(scene);
  scene.openGates();
  for (const id of scene.asynchronous) expect(await outcomeOf(scene, id)).toMatchObject({ status: 'succeeded' });
  for (const id of scene.waiting) {
    expect(await outcomeOf(scene, id)).toMatchObject({ status: 'expired', error: { message: 'its caller was gone, so the job was not started' } });
  }
  expect(scene.ran()).toEqual(['async-1', 'async-2']);
}, 90_000); // prettier-ignore

it('so does one that is stopped for long; when it goes on, its callers are told', async () => {
  const scene = await startScene();
  const api = scene.cluster.apis[1]?.process;
  api?.kill('SIGSTOP');
  stops.push(() => api?.kill('SIGCONT'));
  await holdsOver(scene);
  scene.openGates();
  for (const id of scene.waiting) expect(await outcomeOf(scene, id)).toMatchObject({ status: 'expired' });
  api?.kill('SIGCONT');
  for (const answered of scene.calls) {
    const answer = await answered;
    expect(answer?.status).toBe(503);
    // Uncertain is one whose confirmation it had not read yet when it was stopped.
    expect(['POOL_BUSY', 'QUEUE_UNCERTAIN']).toContain(answer?.json.code);
  }
  expect(scene.ran()).toEqual(['async-1', 'async-2']);
}, 90_000);

it('one that is stopped for a moment keeps them: they run when it holds them again', async () => {
  const scene = await startScene();
  const api = scene.cluster.apis[1]?.process;
  api?.kill('SIGSTOP');
  stops.push(() => api?.kill('SIGCONT'));
  await holdsOver(scene);
  scene.openGates();
  const first = scene.waiting[0] ?? '';
  await waitFor('a worker node to notice', () => scene.redis.hexists(scene.keys.jobRecord('default', first), RECORD_FIELDS.lapsed));
  expect(scene.ran()).not.toContain('a');
  api?.kill('SIGCONT');
  for (const answered of scene.calls) expect(await answered).toMatchObject({ status: 200, json: { success: true } });
  expect(scene.ran()).toEqual(['a', 'async-1', 'async-2', 'b', 'c', 'd']);
}, 90_000);

it('a caller that was told that nobody knows whether its job was accepted does not see it start afterwards', async () => {
  const server = await RedisServer.start();
  stops.push(() => server.stop());
  const cluster = await TestCluster.start({ redisUrl: `redis://127.0.0.1:${server.port}/0` });
  stops.push(() => cluster.stop());
  expect((await execAsAdmin(cluster, 'result = 1')).json.result).toBe(1);
  const variables = { notes: cluster.notes, name: 'late' };
  server.freeze();
  stops.push(() => server.thaw());
  const answer = await execAsAdmin(cluster, NOTE, variables);
  expect(answer).toMatchObject({ status: 503, json: { code: 'QUEUE_UNCERTAIN' } });
  server.thaw();
  await waitFor('jobs to run again', async () => (await execAsAdmin(cluster, 'result = 2')).json.result === 2, 30_000);
  // The command of the frozen moment has been carried out before that job's; what it accepted would have been in front of it.
  const keys = createRedisKeys(cluster.namespace);
  await waitFor('nothing to be open', async () => (await server.client.zcard(keys.openJobs('default'))) === 0, 30_000);
  expect(readdirSync(cluster.notes)).toEqual([]);
}, 90_000);
