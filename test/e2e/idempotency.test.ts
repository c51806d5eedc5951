import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { Redis } from 'ioredis';
import { call, type Answer, type CallOptions } from '../support/call';
import { useStandardCluster } from '../support/standard-cluster';
import { ADMIN_KEY } from '../support/test-cluster';
import { waitFor } from '../support/wait-for';

const cluster = useStandardCluster();
let redis: Redis;
beforeAll(() => void (redis = new Redis(cluster.redisUrl)));
afterAll(() => redis.disconnect());

const job = (key: string, body: unknown = { code: 'result = 1' }, { headers, ...options }: CallOptions = {}): Promise<Answer> =>
  call(cluster, '/api/v1/jobs', body, { ...options, headers: { 'idempotency-key': key, ...headers } });
const isReplay = (answer: Answer): boolean => answer.headers.get('idempotent-replayed') === 'true';
const codeOf = (answer: Answer): [number, string] => [answer.status, answer.json.error?.code as string];

it('the same request again is the same job, on another replica too, and answers as if asked anew', async () => {
  const first = await job('again');
  expect([first.status, isReplay(first)]).toEqual([202, false]);
  const second = await job('again', undefined, { replica: 1 });
  expect([second.status, second.json.id, isReplay(second)]).toEqual([202, first.json.id, true]);
  expect(second.headers.get('location')).toBe(`/api/v1/jobs/${first.json.id as string}`);
  const waited = await job('again', undefined, { headers: { prefer: 'wait=30' } });
  expect([waited.status, waited.json.id, isReplay(waited)]).toEqual([200, first.json.id, true]);
  expect(waited.json.outcome).toMatchObject({ status: 'succeeded', value: 1 });
  expect(waited.headers.get('preference-applied')).toBe('wait=30');
});

it('many first requests at once on two replicas make one job', async () => {
  const body = { code: 'import uuid\nresult = str(uuid.uuid4())' };
  const options = (index: number): CallOptions => ({ replica: index % 2, headers: { prefer: 'wait=30' } });
  const answers = await Promise.all(Array.from({ length: 20 }, (_, index) => job('at once', body, options(index))));
  expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 200));
  expect(new Set(answers.map(({ json }) => json.id as string)).size).toBe(1);
  expect(new Set(answers.map(({ json }) => json.outcome.value as string)).size).toBe(1);
  expect(answers.filter((answer) => !isReplay(answer))).toHaveLength(1);
});

it('another body, or another mode, under the same key is refused, and runs nothing', async () => {
  const options = { key: ADMIN_KEY };
  expect((await job('other', '{"code":"result = 1"}', options)).status).toBe(202);
  expect(codeOf(await job('other', '{"code":"result = 2"}', options))).toEqual([409, 'IDEMPOTENCY_KEY_REUSED']);
  expect(codeOf(await job('other', '{"code": "result = 1"}', options))).toEqual([409, 'IDEMPOTENCY_KEY_REUSED']);
  const asAdmin = { ...options, headers: { 'x-admin-mode': 'true' } };
  expect(codeOf(await job('other', '{"code":"result = 1"}', asAdmin))).toEqual([409, 'IDEMPOTENCY_KEY_REUSED']);
  expect(isReplay(await job('other', '{"code":"result = 1"}', options))).toBe(true);
});

it('another caller’s key is its own', async () => {
  const mine = await job('shared');
  const theirs = await job('shared', { code: 'result = 2' }, { key: ADMIN_KEY });
  expect(theirs.status).toBe(202);
  expect(theirs.json.id).not.toBe(mine.json.id);
});

it.each([['x'.repeat(201)], ['é'], ['a\tb']])('the key %.10j is refused', async (key) => {
  expect(codeOf(await job(key))).toEqual([400, 'REQUEST_INVALID']);
});

it('a job that was not accepted leaves its key free', async () => {
  expect(codeOf(await job('released', { code: 'result = 1', lane: 'nobody' }))).toEqual([503, 'NO_WORKER_FOR_LANE']);
  const answer = await job('released', { code: 'result = 1' });
  expect([answer.status, isReplay(answer)]).toEqual([202, false]);
});

it('a job whose outcome is no longer kept is not run again: 410', async () => {
  const first = await job('swept');
  const id = first.json.id as string;
  await waitFor('its end', async () => (await call(cluster, `/api/v1/jobs/${id}`)).json.state === 'finished');
  await redis.del(`${cluster.namespace}:{default}:job:${id}`);
  const again = await job('swept');
  expect(codeOf(again)).toEqual([410, 'RESULT_EXPIRED']);
  expect(again.json.error.jobId).toBe(id);
});

it('a delayed job is the same job again, before and after its time', async () => {
  const body = { code: 'result = 3', delayMs: 1_000 };
  const first = await job('delayed', body);
  const again = await job('delayed', body);
  expect([again.json.id, again.json.state, isReplay(again)]).toEqual([first.json.id, 'delayed', true]);
  const waited = await job('delayed', body, { headers: { prefer: 'wait=30' } });
  expect([waited.status, waited.json.id, waited.json.outcome.value]).toEqual([200, first.json.id, 3]);
  expect(codeOf(await job('delayed', { ...body, delayMs: 1_001 }))).toEqual([409, 'IDEMPOTENCY_KEY_REUSED']);
});

it('a record that somebody points at another job is not believed', async () => {
  const victim = await job('victim', { code: 'result = "secret"' }, { key: ADMIN_KEY });
  const before = new Set(await redis.keys(`${cluster.namespace}:*:once:*`));
  const mine = await job('pointed');
  const record = (await redis.keys(`${cluster.namespace}:*:once:*`)).find((key) => !before.has(key)) ?? '';
  const isConfirmed = async (): Promise<boolean> => ((await redis.get(record)) ?? '').includes('"state":"accepted"');
  await waitFor('its confirmation', isConfirmed);
  await redis.set(record, ((await redis.get(record)) ?? '').replace(mine.json.id as string, victim.json.id as string));
  const again = await job('pointed');
  expect([again.status, isReplay(again)]).toEqual([202, false]);
  expect(again.json.id).not.toBe(victim.json.id);
});
