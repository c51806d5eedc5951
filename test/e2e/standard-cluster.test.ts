import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { Redis } from 'ioredis';
import { call } from '../support/call';
import { listAlive } from '../support/descendants';
import { GatedJobs } from '../support/gated-jobs';
import { jobsOf } from '../support/jobs';
import { useStandardCluster } from '../support/standard-cluster';
import { ADMIN_KEY } from '../support/test-cluster';
import { waitFor } from '../support/wait-for';

/** What a test file may leave behind is seen by the check that follows it: here each of it is left for a moment. */
const cluster = useStandardCluster();
const gates = new GatedJobs('standard');
let redis: Redis;
beforeAll(() => void (redis = new Redis(cluster.redisUrl)));
afterAll(() => {
  gates.clean();
  redis.disconnect();
});

const { submit, show, ended } = jobsOf(cluster, { key: ADMIN_KEY });
const left = async (): Promise<string> => (await cluster.listLeft(redis)).join('; ');
const cancel = (id: string): Promise<unknown> => call(cluster, `/api/v1/jobs/${id}`, undefined, { method: 'DELETE', key: ADMIN_KEY });

it('an idle cluster has nothing left', async () => {
  await waitFor('nothing', async () => (await left()) === '');
});

it('a job that runs is seen, by its keys, its slot and its processes', async () => {
  const { job, open } = gates.make("import subprocess\nhelper = subprocess.Popen(['sleep', '60'])\ngate()\nhelper.kill()");
  const id = await submit(job);
  await waitFor('it to run', async () => (await show(id)).json.state === 'active');
  await waitFor('its slot and its processes', async () => /1 jobs that run[^]*processes of the worker node/.test(await left()));
  expect(await left()).toContain(`key {default}:queue:${id}`);
  expect(await left()).toContain('key {default}:open');
  open();
  await ended(id);
  await waitFor('nothing', async () => (await left()) === '');
});

it('a job that waits for its time is seen', async () => {
  const id = await submit({ code: 'result = 1', delayMs: 3_000_000 });
  expect(await left()).toMatch(/key \{default\}:queue:delayed/);
  await cancel(id);
  await waitFor('nothing', async () => (await left()) === '');
});

it('a key of nobody, a program in quarantine and another setting of Redis are seen', async () => {
  await redis.set(`${cluster.namespace}:mine`, 'x');
  await redis.hset(`${cluster.namespace}:quarantine`, 'x', 'x');
  await redis.config('SET', 'appendfsync', 'always');
  const seen = await left();
  await redis.config('SET', 'appendfsync', 'everysec');
  await redis.del(`${cluster.namespace}:mine`, `${cluster.namespace}:quarantine`);
  for (const words of ['key mine', 'key quarantine', 'settings of Redis']) expect(seen).toContain(words);
});

it('its processes are those that it was started with', () => {
  const pids = [...cluster.apis, ...cluster.workers].map(({ pid }) => pid);
  expect([pids.length, listAlive(pids)]).toEqual([3, pids]);
});
