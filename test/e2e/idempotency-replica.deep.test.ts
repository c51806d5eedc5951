import { afterEach, expect, it } from '@jest/globals';
import { call, type Answer } from '../support/call';
import { jobsOf } from '../support/jobs';
import { pause } from '../support/pause';
import { TestCluster } from '../support/test-cluster';
import { waitFor } from '../support/wait-for';

let cluster: TestCluster;
afterEach(() => cluster.stop());

const isReplay = (answer: Answer): boolean => answer.headers.get('idempotent-replayed') === 'true';
const codeOf = (answer: Answer): [number, string] => [answer.status, answer.json.error?.code as string];

it('a job whose outcome the sweeper removed for want of room is not run again: 410', async () => {
  cluster = await TestCluster.start({ settings: { PYTHON3_RESULT_MAX_BYTES: '1048576' } });
  const body = { code: 'result = "x" * 400_000' };
  const ask = (key: string): Promise<Answer> =>
    call(cluster, '/api/v1/jobs', body, { headers: { 'idempotency-key': key, prefer: 'wait=30' } });
  const first = await ask('first');
  expect([first.status, first.json.outcome.status]).toEqual([200, 'succeeded']);
  for (const key of ['second', 'third', 'fourth']) await ask(key);
  await waitFor('the sweeper', async () => (await call(cluster, `/api/v1/jobs/${first.json.id as string}`)).status === 410);
  expect(codeOf(await ask('first'))).toEqual([410, 'RESULT_EXPIRED']);
  expect(isReplay(await ask('fourth'))).toBe(true);
}, 60_000);

it('who waits for the job of an earlier request is answered when its replica stops, as who made it is', async () => {
  cluster = await TestCluster.start({ apis: 2, settings: { PYTHON3_DRAIN_SECONDS: '1' } });
  const headers = { 'idempotency-key': 'drained' };
  const body = { code: 'import time\ntime.sleep(20)' };
  const { submit, show } = jobsOf(cluster, { headers });
  const id = await submit(body, { replica: 1 });
  const ask = (): Promise<Answer> => call(cluster, '/api/v1/jobs', body, { replica: 1, headers: { ...headers, prefer: 'wait=60' } });
  const answers = [ask(), ask()];
  await waitFor('it to run', async () => (await show(id)).json.state === 'active');
  // Nothing tells from outside that a request has arrived and waits: a second is far more than that takes.
  await pause(1_000);
  const stopped = cluster.apis[1]?.stop();
  for (const answer of await Promise.all(answers)) {
    expect([answer.status, answer.json.id, answer.json.state, isReplay(answer)]).toEqual([202, id, 'active', true]);
  }
  expect(await stopped).toBe(0);
  await call(cluster, `/api/v1/jobs/${id}`, undefined, { method: 'DELETE' });
}, 60_000);
