import { Queue } from 'bullmq';
import type { Redis } from 'ioredis';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import {
  BASE_ENVIRONMENT, connectRedis, createJobId, createRedisKeys, KeyRing, openOutcome, quarantineIdOf, RECORD_FIELDS, sealJob, sealJobHead,
  sealQuarantine,
  type Job, type Outcome, type QuarantineEntry, type RedisKeys,
} from '@python3-cluster/shared'; // prettier-ignore
import { call, exec, runJob, type Answer } from '../support/call';
import { ADMIN_KEY, SIGNING_KEY, TestCluster } from '../support/test-cluster';
import { waitFor } from '../support/wait-for';

/** Two nodes, each with a lane of its own besides the common one, and a default time limit of a second. */
let cluster: TestCluster;
let redis: Redis;
let keys: RedisKeys;
const keyRing = new KeyRing(SIGNING_KEY);
const PROGRAM = 'while flag: pass\nresult = 1';
const asAdmin = { key: ADMIN_KEY };

beforeAll(async () => {
  cluster = await TestCluster.start({
    workers: 0,
    settings: { PYTHON3_QUARANTINE_BREACHES: '3', PYTHON3_TIMEOUT_SECONDS: '1', PYTHON3_MAX_CPU_SECONDS: '10' },
  });
  for (const lane of ['one', 'two']) cluster.startWorker({ PYTHON3_LANES: `default,${lane}` });
  await cluster.waitForWorkers(2);
  keys = createRedisKeys(cluster.namespace);
  redis = connectRedis(cluster.redisUrl, { profile: 'patient', name: 'test', onError: () => undefined });
});
afterAll(async () => {
  redis.disconnect();
  await cluster.stop();
});

const job = (flag: boolean, more: object = {}): object => ({ code: PROGRAM, variables: { flag }, ...more });
const entries = async (): Promise<(QuarantineEntry & { since: number })[]> =>
  (await call(cluster, '/api/v1/quarantine', undefined, asAdmin)).json.quarantine;
const program = async (): Promise<string> => (await entries())[0]?.program ?? '';
const isRefused = ({ status, json }: Answer): boolean => status === 429 && (json.error?.code ?? json.code) === 'PROGRAM_QUARANTINED';

async function breach(): Promise<void> {
  const answers = await Promise.all([1, 2, 3].map(() => runJob(cluster, job(true, { labels: { script: 'spin' } }))));
  expect(answers.map(({ json }) => json.outcome?.status)).toEqual(['timed_out', 'timed_out', 'timed_out']);
  await waitFor('the API to hear', async () => isRefused(await runJob(cluster, job(false))));
}

/** As if accepted before: signed, and past the API's own look. */
async function submitTo(lane: string): Promise<Outcome> {
  const accepted: Job = {
    version: 1, id: createJobId(lane), lane, kind: 'exec', mode: 'restricted', isolation: 'fresh', delivery: 'at-least-once', owner: 'key:developer',
    limits: { timeoutMs: 1_000, memoryMb: 512, cpuSeconds: 10 }, issuedAt: Date.now(), validUntil: Date.now() + 60_000, startBefore: null,
    resultTtlMs: 60_000, replyTo: null, traceparent: null,
  }; // prettier-ignore
  await redis.hset(keys.jobRecord(lane, accepted.id), { [RECORD_FIELDS.job]: sealJobHead(keyRing, accepted), [RECORD_FIELDS.state]: 'waiting' });
  const queue = new Queue(keys.queueName, { connection: redis, prefix: keys.queuePrefix(lane) });
  const sealed = sealJob(keyRing, accepted, Buffer.from(JSON.stringify(job(false)))).toString();
  await queue.add('exec', { sealed }, { jobId: accepted.id, removeOnComplete: true, removeOnFail: true });
  const stored = await waitFor('an outcome', async () => (await redis.hgetBuffer(keys.jobRecord(lane, accepted.id), RECORD_FIELDS.outcome)) ?? undefined);
  await queue.close();
  const parts = openOutcome(keyRing, accepted.id, stored);
  if (parts === undefined) throw new Error('the outcome is not signed');
  return parts.outcome;
} // prettier-ignore

it('lowered limits, Python errors and clean runs quarantine nothing', async () => {
  const short = { code: 'while True: pass', timeoutMs: 200 };
  const answers = await Promise.all([1, 2, 3, 4, 5].map(() => runJob(cluster, short)));
  expect(answers.map(({ json }) => json.outcome?.status)).toEqual(Array(5).fill('timed_out'));
  for (let count = 0; count < 5; count += 1) await runJob(cluster, { code: '1 / 0' });
  expect((await runJob(cluster, short)).json.outcome.status).toBe('timed_out');
  expect(await entries()).toEqual([]);
});

it('a program that keeps breaking its limits is refused by the API and by both nodes, on both surfaces', async () => {
  await breach();
  const modern = await runJob(cluster, job(false));
  expect(modern.json.error).toMatchObject({ code: 'PROGRAM_QUARANTINED', quarantineId: (await entries())[0]?.id });
  expect(Number(modern.headers.get('retry-after'))).toBeGreaterThan(60);
  const predecessors = await exec(cluster, PROGRAM, { flag: false });
  expect(predecessors.status).toBe(429);
  expect(predecessors.json).toMatchObject({ success: false, code: 'PROGRAM_QUARANTINED' });
  expect(predecessors.json.error).toContain("This program is quarantined: 3 of its latest runs broke their limits or crashed, the last one with 'timed_out'.");
  // How long, and who can end it, and how.
  const [{ id, until } = { id: '', until: 0 }] = await entries();
  for (const words of ['An admin can release', `DELETE /api/v1/quarantine/${id}`]) expect(modern.json.error.message).toContain(words);
  // Each node writes the entry by its own clock, and the later one counts.
  const told = Date.parse(/refused until (\S+), /.exec(modern.json.error.message as string)?.[1] ?? '');
  expect(Math.abs(told - until)).toBeLessThan(60_000);
  expect(Number(/for (\d+) seconds more/.exec(modern.json.error.message as string)?.[1])).toBeGreaterThan(60);
  for (const lane of ['one', 'two']) expect(await submitTo(lane)).toMatchObject({ status: 'rejected', error: { type: 'PROGRAM_QUARANTINED' }, attempts: [] });
  expect(cluster.workers.map((worker) => worker.log()).join('')).toContain('"event":"quarantine"');
}); // prettier-ignore

it('other callers’ same program, and other programs of the caller, run', async () => {
  expect((await runJob(cluster, job(false), asAdmin)).json.outcome.status).toBe('succeeded');
  expect((await runJob(cluster, { code: `${PROGRAM}\n` , variables: { flag: false } })).json.outcome.status).toBe('succeeded');
}); // prettier-ignore

it('forged entries and releases in Redis are ignored', async () => {
  const [entry] = await entries();
  const [id, forger] = [entry?.id ?? '', new KeyRing('f'.repeat(40))];
  const key = { owner: 'key:admin', program: await program(), environment: BASE_ENVIRONMENT };
  const forgedId = quarantineIdOf(key);
  const [at, until] = [Date.now(), Date.now() + 600_000];
  await redis.hset(keys.quarantine, {
    [forgedId]: sealQuarantine(forger, keys, { version: 1, state: 'quarantined', id: forgedId, ...key, at, until, breaches: 3, lastStatus: 'crashed', lastJobId: 'j', workers: [] }),
    [id]: sealQuarantine(forger, keys, { version: 1, state: 'released', id, ...key, owner: 'key:developer', at, until, by: 'admin' }),
  });
  await redis.incr(keys.quarantineVersion);
  expect((await entries()).map((known) => known.id)).toEqual([id]);
  await waitFor('all processes to have looked', () => [...cluster.workers, ...cluster.apis].every((started) => started.log().includes('RECORD_UNVERIFIED')));
  expect((await runJob(cluster, job(false), asAdmin)).json.outcome.status).toBe('succeeded');
  expect(isRefused(await runJob(cluster, job(false)))).toBe(true);
  for (const lane of ['one', 'two']) expect((await submitTo(lane)).status).toBe('rejected');
}); // prettier-ignore

it('only an admin sees and releases what is quarantined; then it runs on both nodes', async () => {
  const [entry] = await entries();
  expect(entry).toMatchObject({ owner: 'key:developer', state: 'quarantined', environment: 'base', breaches: 3, lastStatus: 'timed_out', firstLine: 'while flag: pass', labels: { script: 'spin' } });
  // Code is never logged.
  expect([...cluster.workers, ...cluster.apis].map((one) => one.log()).join('')).not.toContain('while flag');
  const path = `/api/v1/quarantine/${entry?.id}`;
  for (const answer of [await call(cluster, '/api/v1/quarantine'), await call(cluster, path, undefined, { method: 'DELETE' })])
    expect([answer.status, answer.json.error.code]).toEqual([403, 'AUTH_ROLE_INSUFFICIENT']);
  const released = await call(cluster, path, undefined, { method: 'DELETE', ...asAdmin });
  expect([released.status, released.json]).toMatchObject([200, { id: entry?.id, state: 'released', by: 'admin' }]);
  const again = await call(cluster, path, undefined, { method: 'DELETE', ...asAdmin });
  expect([again.status, again.json.error.code]).toEqual([404, 'QUARANTINE_NOT_FOUND']);
  expect((await runJob(cluster, job(false))).json.outcome.status).toBe('succeeded');
  for (const lane of ['one', 'two']) await waitFor('the node to hear', async () => (await submitTo(lane)).status === 'succeeded');
  expect(await entries()).toEqual([]);
}); // prettier-ignore
