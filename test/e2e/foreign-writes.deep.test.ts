import type { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import {
  CANCEL_LOOK_MS, connectRedis, createJobId, createRedisKeys, defineJobCommands, KeyRing, openOutcome, RECORD_FIELDS, sealJob, sealJobHead,
  type Job, type OutcomeParts, type RedisKeys,
} from '@python3-cluster/shared'; // prettier-ignore
import { ADMIN_KEY, SIGNING_KEY, TestCluster } from '../support/test-cluster';
import { assertOwnAnswers, call, runJob } from '../support/call';
import { waitFor } from '../support/wait-for';

/** Somebody with Redis and without the key writes what is no entry, no record and no counter: it is refused once, and nothing stands still. */
let cluster: TestCluster;
let redis: Redis;
let keys: RedisKeys;
const keyRing = new KeyRing(SIGNING_KEY);
const CODE = Buffer.from('{"code":"result = 1","variables":{}}');

beforeAll(async () => {
  cluster = await TestCluster.start();
  keys = createRedisKeys(cluster.namespace);
  redis = defineJobCommands(connectRedis(cluster.redisUrl, { profile: 'patient', name: 'attacker', onError: () => undefined }));
});
afterAll(async () => {
  redis.disconnect();
  await cluster.stop();
});

const makeJob = (): Job => ({
  version: 1, id: createJobId('default'), lane: 'default', kind: 'exec', mode: 'restricted', isolation: 'fresh', delivery: 'at-least-once', owner: 'somebody',
  limits: { timeoutMs: 5_000, memoryMb: 128, cpuSeconds: 5 }, issuedAt: Date.now(), validUntil: Date.now() + 60_000, startBefore: null,
  resultTtlMs: 60_000, replyTo: null, traceparent: null,
}); // prettier-ignore

async function accept(fields: Record<string, string> = {}): Promise<Job> {
  const job = makeJob();
  await redis.hset(keys.jobRecord('default', job.id), {
    [RECORD_FIELDS.job]: sealJobHead(keyRing, job),
    [RECORD_FIELDS.state]: 'waiting',
    ...fields,
  });
  await redis.zadd(keys.openJobs('default'), job.issuedAt, job.id);
  return job;
}

const trueData = (job: Job): string => JSON.stringify({ sealed: sealJob(keyRing, job, CODE).toString() });

/** As BullMQ would have it, but for what is given. */
async function putEntry(jobId: string, fields: Record<string, string> | undefined): Promise<void> {
  if (fields !== undefined)
    await redis.hset(keys.queueEntry('default', jobId), { name: 'exec', opts: '{}', timestamp: `${Date.now()}`, ...fields });
  await putId(jobId);
}

async function putId(jobId: string): Promise<void> {
  await redis.lpush(keys.queueEntry('default', 'wait'), jobId);
  await redis.zadd(keys.queueEntry('default', 'marker'), 0, '0');
}

async function outcomeOf({ id }: Job): Promise<OutcomeParts['outcome']> {
  const record = keys.jobRecord('default', id);
  const sealed = await waitFor(`the outcome of ${id}`, async () => (await redis.hgetBuffer(record, RECORD_FIELDS.outcome)) ?? undefined);
  const parts = openOutcome(keyRing, id, sealed);
  if (parts === undefined) throw new Error('the outcome is not signed');
  return parts.outcome;
}

const securityEvents = (text: string): string[] =>
  (cluster.workers[0]?.log() ?? '').split('\n').filter((line) => line.includes('"event":"security"') && line.includes(text));
const isGone = async (jobId: string): Promise<boolean> =>
  (await redis.exists(keys.queueEntry('default', jobId))) === 0 && (await redis.lpos(keys.queueEntry('default', 'active'), jobId)) === null;

const HUGE = 'x'.repeat(3_000_000);
const DEEP = '['.repeat(100_000);
const NO_ENTRIES: Record<string, string> = {
  number: '{"sealed":5}', object: '{"sealed":{"length":5}}', list: '{"sealed":[1,2,3]}', null: '{"sealed":null}', empty: '{"sealed":""}',
  huge: `{"sealed":"${HUGE}"}`, 'stored number': '{"stored":1}', 'a member more': '{"stored":true,"x":1}', 'both members': '{"sealed":"x","stored":true}',
  'no member': '{}', 'no object': '5', text: '"sealed"', 'null itself': 'null', 'a list': '["sealed"]', 'no JSON': '{"sealed":', nothing: '',
  deep: DEEP, prototype: '{"__proto__":{"sealed":"x"}}', 'a lane that is no text': `{"sealed":${JSON.stringify(`1.000000000000.${'A'.repeat(43)}\n{"version":1,"kind":"exec","mode":"restricted","delivery":"at-least-once","isolation":"fresh","lane":{"toString":5}}\n`)}}`,
}; // prettier-ignore

describe('a queue entry', () => {
  it('that is none is refused once, with an event and an outcome, whatever it is', async () => {
    const cases = await Promise.all(Object.entries(NO_ENTRIES).map(async ([name, data]) => ({ name, data, job: await accept() })));
    const bare = await accept();
    for (const { job, data } of cases) await putEntry(job.id, { data });
    await putEntry(bare.id, undefined);
    for (const { name, job } of [...cases, { name: 'an id without entry', job: bare }]) {
      const { status, error } = await outcomeOf(job);
      expect([name, status, error?.type]).toEqual([name, 'rejected', 'JOB_SIGNATURE_INVALID']);
      await waitFor(`the queue to have forgotten ${name}`, () => isGone(job.id));
      await waitFor('its event', () => securityEvents(job.id).length > 0);
      expect([name, securityEvents(job.id).length]).toEqual([name, 1]);
    }
    await waitFor('the alert', async () => (await redis.hkeys(keys.alertEvents)).includes('JOB_SIGNATURE_REFUSED default'));
  });

  it.each<[string, Record<string, string>]>([
    ['options that are no JSON', { opts: '{' }],
    ['a failure that somebody ordered', { defa: 'because' }],
    ['another id', { id: 'default.00000000000000000000000000' }],
    ['a parent', { parent: '{', parentKey: 'x:y:z' }],
    ['a schedule', { rjk: 'a:b:c:d:e' }],
    ['counts that are none', { stc: 'x', priority: 'x', delay: 'x', processedOn: 'x' }],
    ['progress that is none', { progress: '{' }],
  ])('with %s beside its true content runs once', async (_, fields) => {
    const job = await accept();
    await putEntry(job.id, { data: trueData(job), ...fields });
    expect(await outcomeOf(job)).toMatchObject({ status: 'succeeded', attempts: [{ number: 1 }] });
    await waitFor('the queue to have forgotten it', () => isGone(job.id));
  });

  it('that is no hash, or an id that names a key of the queue, is removed; the lane goes on', async () => {
    const job = makeJob();
    await redis.set(keys.queueEntry('default', job.id), 'in the way');
    await putId(job.id);
    await putId('active');
    const other = await accept();
    await putEntry(other.id, { data: trueData(other) });
    expect((await outcomeOf(other)).status).toBe('succeeded');
    await waitFor('both to be gone', async () => (await isGone(job.id)) && (await isGone('active')));
    await waitFor('both events', () => securityEvents(job.id).length > 0 && securityEvents('"redisKey":"active"').length > 0);
    expect([securityEvents(job.id).length, securityEvents('"redisKey":"active"').length]).toEqual([1, 1]);
  });
});

describe('a record', () => {
  it.each(['x', '5', '{}', '[1]', '[null]', '{"1":{}}', DEEP])(
    'with attempts that are no list of attempts is refused, and is not run (%#)',
    async (attempts) => {
      const job = await accept({ attempts });
      await putEntry(job.id, { data: trueData(job) });
      expect(await outcomeOf(job)).toMatchObject({ status: 'rejected', error: { type: 'RECORD_UNVERIFIED' }, attempts: [] });
      await waitFor('the event', () => securityEvents(job.id).length > 0);
      expect(securityEvents(job.id)).toHaveLength(1);
    },
  );

  it('with other fields of the wrong kind runs once', async () => {
    const job = await accept({ queuedBytes: 'inf', cancelClaimed: 'x', retryAt: 'x', state: 'delayed', startedBy: '' });
    await putEntry(job.id, { data: trueData(job) });
    expect(await outcomeOf(job)).toMatchObject({ status: 'succeeded', attempts: [{ number: 1 }] });
  });

  it('that is no hash is no record: what stands in the queue for it is removed, and so is it', async () => {
    const job = makeJob();
    await redis.rpush(keys.jobRecord('default', job.id), 'in the way');
    await redis.zadd(keys.openJobs('default'), job.issuedAt - 60_000, job.id);
    await putEntry(job.id, { data: trueData(job) });
    await waitFor('the entry to be gone', () => isGone(job.id));
    await waitFor('the record to be gone', async () => (await redis.exists(keys.jobRecord('default', job.id))) === 0);
    expect(securityEvents(job.id).map((line) => (JSON.parse(line) as { errorCode: string }).errorCode)).toEqual([
      'JOB_REPLAYED',
      'RECORD_UNVERIFIED',
    ]);
    expect(await redis.zscore(keys.openJobs('default'), job.id)).toBe(null);
  });

  it('whose payload is no hash of pieces has lost it', async () => {
    const job = await accept();
    await redis.rpush(keys.jobPayload('default', job.id), 'x');
    await putEntry(job.id, { data: '{"stored":true}' });
    expect(await outcomeOf(job)).toMatchObject({ status: 'rejected', error: { type: 'PAYLOAD_MISSING' } });
  });
});

it('counters and indexes of the wrong type cost no job its outcome or a second run, and no program its good name', async () => {
  const minute = Math.floor(Date.now() / 60_000);
  const names = [
    keys.counts('default'), keys.minuteCounts('default', minute), keys.minuteCounts('default', minute + 1), keys.openJobs('default'), keys.outcomeExpiry('default'), keys.outcomeBytes('default'),
    keys.outcomes('default', 'key:developer'), keys.countedNames('default', 'callers'), keys.countedNames('default', 'errors'), keys.namedCounts('default', 'caller', 'key:developer'),
    keys.cancels('default'), keys.lanes, keys.housekeeper,
  ]; // prettier-ignore
  for (let round = 0; round < 3; round += 1) {
    await redis.del(...names);
    for (const name of names) await (name.endsWith(':counts') ? redis.set(name, 'x') : redis.rpush(name, 'x'));
    await redis.hset(keys.namedCounts('default', 'program', 'a.b'), 'jobs:exec:succeeded', 'x');
    for (let job = 0; job < 3; job += 1) {
      // The API refuses while it cannot note a job as open, and its breaker may open.
      const ran = await waitFor('it to be accepted', async () => {
        const answer = await runJob(cluster, { code: 'raise KeyError(1)' });
        return answer.status === 503 ? undefined : answer;
      });
      expect(ran.json).toMatchObject({ outcome: { status: 'failed' }, attempts: [{ number: 1 }] });
    }
    await waitFor('them to be as they should', async () => (await redis.type(keys.counts('default'))) !== 'string' && (await redis.type(keys.lanes)) === 'set', 15_000);
  }
  await waitFor('the events', () => securityEvents('default_:counts').length > 0);
  expect(await redis.hlen(keys.quarantine)).toBe(0);
  await waitFor('them to be counted again', async () => {
    await runJob(cluster, { code: 'result = 1' });
    return Number(await redis.hget(keys.counts('default'), 'jobs:exec:succeeded')) > 0;
  });
}, 90_000); // prettier-ignore

it('a cancellation that only a message or the list says ends nothing', async () => {
  const started = await call(
    cluster,
    '/api/v1/jobs',
    { code: 'import time\ntime.sleep(2.5)\nresult = 1', mode: 'admin' },
    { key: ADMIN_KEY },
  );
  const id = started.json.id as string;
  await waitFor('it to run', async () => (await redis.hget(keys.jobRecord('default', id), 'state')) === 'active');
  for (let told = 0; told < 3; told += 1) {
    expect(await redis.publish(keys.cancelChannel('default'), id)).toBeGreaterThan(0);
    await redis.zadd(keys.cancels('default'), 0, id);
    await waitFor('the look', async () => (await redis.zscore(keys.cancels('default'), id)) === null, 10 * CANCEL_LOOK_MS);
  }
  await waitFor('its end', async () => (await redis.hget(keys.jobRecord('default', id), 'state')) === 'finished');
  const { json } = await call(cluster, `/api/v1/jobs/${id}`, undefined, { key: ADMIN_KEY });
  expect(json).toMatchObject({ outcome: { status: 'succeeded', value: 1 }, attempts: [{ number: 1 }] });
});

it('and after all of it every job gets its own answer', () => assertOwnAnswers(cluster));
