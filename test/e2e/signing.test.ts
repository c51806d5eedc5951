import { Queue } from 'bullmq';
import type { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import {
  connectRedis, createJobId, createRedisKeys, KeyRing, openOutcome, RECORD_FIELDS, sealJob, sealJobHead,
  type Job, type OutcomeParts, type RedisKeys,
} from '@python3-cluster/shared'; // prettier-ignore
import { useStandardCluster } from '../support/standard-cluster';
import { SIGNING_KEY } from '../support/test-cluster';
import { assertOwnAnswers, call, exec, runJob } from '../support/call';
import { linesWith } from '../support/log-lines';
import { waitFor } from '../support/wait-for';

/** Somebody with Redis, but without the key: what they write must not run, and must not be believed. */
const cluster = useStandardCluster();
let redis: Redis;
let keys: RedisKeys;
const keyRing = new KeyRing(SIGNING_KEY);
const queues: Queue[] = [];

beforeAll(() => {
  keys = createRedisKeys(cluster.namespace);
  redis = connectRedis(cluster.redisUrl, { profile: 'patient', name: 'attacker', onError: () => undefined });
});
afterAll(async () => {
  await Promise.all(queues.map((queue) => queue.close()));
  redis.disconnect();
});

const CODE = Buffer.from('{"code":"result = 1","variables":{}}');

function makeJob(changes: Partial<Job> = {}): Job {
  const lane = changes.lane ?? 'default';
  return {
    version: 1, id: createJobId(lane), lane, kind: 'exec', mode: 'restricted', isolation: 'fresh', delivery: 'at-least-once', owner: 'somebody',
    limits: { timeoutMs: 5_000, memoryMb: 128, cpuSeconds: 5 }, issuedAt: Date.now(), validUntil: Date.now() + 60_000, startBefore: null,
    resultTtlMs: 60_000, replyTo: null, traceparent: null, ...changes,
  }; // prettier-ignore
}

async function putRecord(job: Job): Promise<void> {
  await redis.hset(keys.jobRecord(job.lane, job.id), { [RECORD_FIELDS.job]: sealJobHead(keyRing, job), [RECORD_FIELDS.state]: 'waiting' });
}

async function putEntry(lane: string, jobId: string, sealed: Buffer): Promise<void> {
  const queue = new Queue(keys.queueName, { connection: redis, prefix: keys.queuePrefix(lane) });
  queues.push(queue);
  await queue.add('exec', { sealed: sealed.toString() }, { jobId, removeOnComplete: true, removeOnFail: true });
}

async function outcomeOf(job: Job): Promise<OutcomeParts> {
  const sealed = await waitFor(
    'an outcome',
    async () => (await redis.hgetBuffer(keys.jobRecord(job.lane, job.id), RECORD_FIELDS.outcome)) ?? undefined,
  );
  const parts = openOutcome(keyRing, job.id, sealed);
  if (parts === undefined) throw new Error('the outcome is not signed');
  return parts;
}

async function submit(job: Job, sealed: Buffer, lane = job.lane): Promise<OutcomeParts> {
  await putRecord(job);
  await putEntry(lane, job.id, sealed);
  return outcomeOf(job);
}

describe('a worker node', () => {
  it('runs what is signed (the control of the cases below)', async () => {
    const job = makeJob();
    const { outcome, value } = await submit(job, sealJob(keyRing, job, CODE));
    expect([outcome.status, value.toString()]).toEqual(['succeeded', '1']);
  });

  it.each<[string, (job: Job) => Buffer]>([
    ['signed with another key', (job) => sealJob(new KeyRing('x'.repeat(32)), job, CODE)],
    ['whose code was changed', (job) => Buffer.from(sealJob(keyRing, job, CODE).toString().replace('result = 1', 'result = 2'))],
    ['whose mode was changed', (job) => Buffer.from(sealJob(keyRing, job, CODE).toString().replace('"restricted"', '"admin"'))],
    ['signed for another id', (job) => sealJob(keyRing, { ...job, id: createJobId('default') }, CODE)],
    ['that is no sealed text at all', () => Buffer.from('{"code":"result = 1"}')],
  ])('rejects a job %s: JOB_SIGNATURE_INVALID', async (_name, sealed) => {
    const job = makeJob();
    const { outcome } = await submit(job, sealed(job));
    expect([outcome.status, outcome.error?.type]).toEqual(['rejected', 'JOB_SIGNATURE_INVALID']);
    expect(linesWith(cluster.workers[0]?.log() ?? '', '"event":"security"', job.id)).not.toEqual([]);
  });

  it('rejects a job past its validity: JOB_EXPIRED', async () => {
    const job = makeJob({ issuedAt: Date.now() - 120_000, validUntil: Date.now() - 60_000 });
    const { outcome } = await submit(job, sealJob(keyRing, job, CODE));
    expect([outcome.status, outcome.error?.type]).toEqual(['rejected', 'JOB_EXPIRED']);
  });

  it('rejects a job moved to another lane: JOB_LANE_MISMATCH', async () => {
    const job = makeJob();
    // The mover writes a record where the other lane looks for it, too.
    await redis.hset(keys.jobRecord('second', job.id), {
      [RECORD_FIELDS.job]: sealJobHead(keyRing, job),
      [RECORD_FIELDS.state]: 'waiting',
    });
    await putEntry('second', job.id, sealJob(keyRing, job, CODE));
    const { outcome } = await outcomeOf({ ...job, lane: 'second' });
    expect([outcome.status, outcome.error?.type]).toEqual(['rejected', 'JOB_LANE_MISMATCH']);
  });

  it('does not run a finished job again: JOB_REPLAYED', async () => {
    const job = makeJob({ mode: 'admin' });
    const marker = `${cluster.notes}/ran-${job.id}`;
    const code = Buffer.from(JSON.stringify({ code: `open(${JSON.stringify(marker)}, 'a').write('x')\nresult = 1`, variables: {} }));
    const sealed = sealJob(keyRing, job, code);
    expect((await submit(job, sealed)).outcome.status).toBe('succeeded');
    const entry = `${keys.queuePrefix('default')}:${keys.queueName}:${job.id}`;
    await waitFor('the queue to have forgotten it', async () => (await redis.exists(entry)) === 0);
    await putEntry('default', job.id, sealed);
    await waitFor('the refusal', () => linesWith(cluster.workers[0]?.log() ?? '', 'JOB_REPLAYED', job.id).length > 0);
    const { readFileSync, rmSync } = await import('node:fs');
    expect(readFileSync(marker, 'utf8')).toBe('x');
    rmSync(marker);
    expect((await outcomeOf(job)).outcome.status).toBe('succeeded');
  });

  it('does not run a job that was never accepted: JOB_REPLAYED', async () => {
    const job = makeJob();
    await putEntry('default', job.id, sealJob(keyRing, job, CODE));
    await waitFor('the refusal', () => cluster.workers[0]?.log().includes(job.id));
    expect(await redis.exists(keys.jobRecord(job.lane, job.id))).toBe(0);
  });

  it('says that a stored payload is gone: PAYLOAD_MISSING', async () => {
    const job = makeJob();
    await putRecord(job);
    const queue = new Queue(keys.queueName, { connection: redis, prefix: keys.queuePrefix('default') });
    queues.push(queue);
    await queue.add('exec', { stored: true }, { jobId: job.id });
    const { outcome } = await outcomeOf(job);
    expect([outcome.status, outcome.error?.type]).toEqual(['rejected', 'PAYLOAD_MISSING']);
  });
});

describe('the API', () => {
  it('does not believe an outcome that was changed in Redis', async () => {
    const answer = await runJob(cluster, { code: 'result = "true"' });
    const record = keys.jobRecord('default', answer.json.id as string);
    const sealed = (await redis.hgetBuffer(record, RECORD_FIELDS.outcome))?.toString() ?? '';
    await redis.hset(record, RECORD_FIELDS.outcome, sealed.replace('"true"', '"fake"'));
    const read = await call(cluster, `/api/v1/jobs/${answer.json.id as string}`);
    expect([read.status, read.json.error.code]).toEqual([502, 'OUTCOME_UNVERIFIED']);
  });

  it('does not believe an outcome published by somebody else, and waits for the true one', async () => {
    const waiting = exec(cluster, 'import time\ntime.sleep(0.5)\nresult = "true"');
    const channels = await waitFor('a reply channel', async () => {
      const found = (await redis.pubsub('CHANNELS', `${cluster.namespace}:reply:*`)) as string[];
      return found.length > 0 && found;
    });
    const ids = await waitFor('the job', async () => {
      const found = await redis.keys(keys.jobRecord('default', '*'));
      const active = await Promise.all(
        found.map(async (record) => ((await redis.hget(record, 'state')) === 'active' ? record : undefined)),
      );
      return active.find(Boolean);
    });
    const jobId = ids.slice(ids.indexOf(':job:') + 5);
    for (const channel of channels)
      await redis.publish(channel, `${jobId}\n1.000000000000.${'A'.repeat(43)}\n{"outcome":{"worker":"w"},"bytes":[6,0,0]}\n"fake"`);
    expect((await waiting).json.result).toBe('true');
  });

  it('and after all of it every job gets its own answer', () => assertOwnAnswers(cluster));
});
