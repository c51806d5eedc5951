import { randomBytes } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import {
  BASE_ENVIRONMENT, connectRedis, createEvidenceId, createJobId, createRedisKeys, KeyRing, loadConfig, programIdOf, quarantineIdOf,
  QuarantineList, sealEvidence, sealQuarantine,
  type Job, type Logger, type OutcomeStatus, type QuarantineEntry, type QuarantineEvidence, type RedisKeys,
} from '@python3-cluster/shared'; // prettier-ignore
import type { Redis } from 'ioredis';
import { pino } from 'pino';
import { waitFor } from '../../../../test/support/wait-for';
import { Quarantine } from './quarantine';

/** Two worker nodes' quarantines over one Redis. */
const { config } = loadConfig({ PYTHON3_QUARANTINE_BREACHES: '3' });
const keyRing = new KeyRing('k'.repeat(40));
const payload = Buffer.from('{"code":"while flag: pass","variables":{"flag":true}}');
interface Node {
  readonly quarantine: Quarantine;
  readonly list: QuarantineList;
  readonly forged: string[];
}
let redis: Redis;
let keys: RedisKeys;
let nodes: [Node, Node];
let connections: Redis[] = [];

const connect = (): Redis => {
  const connection = connectRedis(process.env['PYTHON3_TEST_REDIS_URL'] ?? '', { profile: 'patient', name: 'test', onError: () => undefined });
  connections.push(connection);
  return connection;
}; // prettier-ignore

/** What is not signed by the cluster is told as a security event, with the record's id where it is one. */
function createSecurityLogger(onForged: (quarantineId?: string) => void): Logger {
  const write = (line: string): void => {
    const { event, errorCode, quarantineId } = JSON.parse(line) as Record<string, string | undefined>;
    if (event === 'security' && errorCode === 'RECORD_UNVERIFIED') onForged(quarantineId);
  };
  return pino({ level: 'error' }, { write });
}

async function startNode(workerId: string): Promise<Node> {
  const forged: string[] = [];
  const logger = createSecurityLogger((quarantineId = 'evidence') => forged.push(quarantineId));
  const subscriber = connect();
  const list = new QuarantineList({ redis, keys, keyRing, logger });
  const quarantine = new Quarantine({ config, redis, keys, keyRing, list, workerId, logger });
  await quarantine.start(subscriber);
  await waitFor('the subscription', async () => ((await redis.pubsub('NUMSUB', keys.quarantineChannel))[1] as number) >= (workerId === 'node-1' ? 1 : 2));
  return { quarantine, list, forged };
} // prettier-ignore

beforeEach(async () => {
  keys = createRedisKeys(`t-${randomBytes(4).toString('hex')}`);
  connections = [];
  redis = connect();
  await redis.ping();
  nodes = [await startNode('node-1'), await startNode('node-2')];
});
afterEach(() => {
  for (const { quarantine } of nodes) quarantine.stop();
  for (const connection of connections) connection.disconnect();
});

const createJob = (owner = 'key:a'): Job => ({
  version: 1, id: createJobId('default'), lane: 'default', kind: 'exec', mode: 'restricted', isolation: 'fresh', delivery: 'at-least-once', owner,
  limits: { timeoutMs: 30_000, memoryMb: 512, cpuSeconds: 60 }, issuedAt: Date.now(), validUntil: Date.now() + 60_000, startBefore: null,
  resultTtlMs: 60_000, replyTo: null, traceparent: null,
}); // prettier-ignore

async function run({ quarantine }: Node, status: OutcomeStatus, job = createJob()): Promise<boolean> {
  const admission = await quarantine.admit(job, payload);
  await quarantine.settle(job, payload, admission, status);
  return admission.isAdmitted;
}

const isRefused = async ({ quarantine }: Node, owner?: string): Promise<boolean> =>
  !(await quarantine.admit(createJob(owner), payload)).isAdmitted;
const program = async (): Promise<string> => (await programIdOf('exec', payload)) ?? '';

/** An entry as it stands once its time is over. */
async function putHalfOpen(): Promise<QuarantineEntry> {
  const key = { owner: 'key:a', program: await program(), environment: BASE_ENVIRONMENT };
  const entry: QuarantineEntry = {
    version: 1, state: 'quarantined', id: quarantineIdOf(key), ...key, at: Date.now() - 60_000, until: Date.now() - 1,
    breaches: 3, lastStatus: 'crashed', lastJobId: 'j', workers: ['node-1'],
  }; // prettier-ignore
  await nodes[0].list.put(entry);
  await nodes[1].list.look();
  return entry;
}

describe('breaches on two nodes', () => {
  it('quarantine the program of that caller on both, at once, and of no other', async () => {
    const [one, two] = nodes;
    await run(one, 'timed_out');
    await run(two, 'crashed');
    await waitFor('both to have heard', async () => {
      await run(one, 'out_of_memory');
      return isRefused(one);
    });
    await waitFor('the other node to hear', () => isRefused(two));
    expect(await isRefused(one, 'key:b')).toBe(false);
    expect(one.list.entries()).toMatchObject([{ owner: 'key:a', program: await program(), state: 'quarantined' }]);
  });

  it('are counted through Redis: each node saw too few itself', async () => {
    const [one, two] = nodes;
    await run(one, 'crashed');
    await run(two, 'crashed');
    // Both nodes know of two breaches once a third, on either, convicts; messages of one channel come in order.
    await run(two, 'crashed');
    await waitFor('one node to convict', async () => (await redis.hlen(keys.quarantine)) === 1);
    await waitFor('both to refuse', async () => (await isRefused(one)) && (await isRefused(two)));
    expect(one.list.entries()[0]?.breaches).toBe(3);
  });

  it('of one job count once, however often it is started', async () => {
    const [one, two] = nodes;
    const job = createJob();
    for (let start = 0; start < 10; start += 1) await run(start % 2 === 0 ? one : two, 'crashed', job);
    await run(one, 'crashed');
    await redis.ping();
    expect([await isRefused(one), await redis.hlen(keys.quarantine)]).toEqual([false, 0]);
    await run(two, 'crashed');
    await waitFor('a third job to convict', () => isRefused(one));
  });

  it('do not, where as many runs were clean', async () => {
    const [one, two] = nodes;
    await run(one, 'crashed');
    for (let count = 0; count < 5; count += 1) await run(one, 'succeeded');
    await run(one, 'crashed');
    await run(one, 'crashed');
    expect([await isRefused(one), await isRefused(two)]).toEqual([false, false]);
  });
});

describe('a program whose time is over', () => {
  it('is tried by one job in the cluster; clean, it is released for all', async () => {
    const [one, two] = nodes;
    await putHalfOpen();
    const jobs = Array.from({ length: 10 }, () => createJob());
    const admissions = await Promise.all(jobs.map((job, index) => (nodes[index % 2] as Node).quarantine.admit(job, payload)));
    expect(admissions.filter(({ isAdmitted }) => isAdmitted)).toHaveLength(1);
    const index = admissions.findIndex(({ isAdmitted }) => isAdmitted);
    const [trial, admission] = [jobs[index] as Job, admissions[index] as (typeof admissions)[number]];
    // Delivered again after its node was lost, it is still the trial.
    expect((await two.quarantine.admit(trial, payload)).isAdmitted).toBe(true);
    await (nodes[index % 2] as Node).quarantine.settle(trial, payload, admission, 'succeeded');
    await waitFor('the release on both', async () => !(await isRefused(one)) && !(await isRefused(two)));
    expect(one.list.entries()).toEqual([]);
  });

  it('is quarantined anew by a trial that breaks a limit', async () => {
    const [one, two] = nodes;
    const { until } = await putHalfOpen();
    expect(await run(one, 'timed_out')).toBe(true);
    await waitFor('the new entry on both', () => nodes.every(({ list }) => (list.entries()[0]?.until ?? 0) > until));
    expect([await isRefused(one), await isRefused(two)]).toEqual([true, true]);
  });

  it('may be tried by another job where the trial was cancelled, or did not run', async () => {
    const [one] = nodes;
    await putHalfOpen();
    expect(await run(one, 'cancelled')).toBe(true);
    const job = createJob();
    const admission = await one.quarantine.admit(job, payload);
    await one.quarantine.settle(job, payload, admission, undefined);
    expect([admission.isAdmitted, await run(one, 'succeeded')]).toEqual([true, true]);
  });
});

describe('somebody with Redis, but without the key,', () => {
  it('quarantines nothing: neither by an entry nor by evidence', async () => {
    const [one, two] = nodes;
    const entry = await putHalfOpen();
    await redis.del(keys.quarantine);
    const key = { owner: 'key:b', program: await program(), environment: BASE_ENVIRONMENT };
    const id = quarantineIdOf(key);
    const foreign = new KeyRing('x'.repeat(40));
    const forgery = { ...entry, ...key, id, until: Date.now() + 60_000 };
    const evidence = (): QuarantineEvidence => ({
      version: 1, id: createEvidenceId(), ...key, worker: 'node-9', at: Date.now(), breach: { status: 'crashed', jobId: 'j' }, count: 1,
    }); // prettier-ignore
    await redis.hset(keys.quarantine, id, sealQuarantine(foreign, keys, forgery), 'junk', '{}');
    // Genuine, but another field's.
    await redis.hset(keys.quarantine, quarantineIdOf({ ...key, owner: 'key:c' }), sealQuarantine(keyRing, keys, entry));
    for (let count = 0; count < 9; count += 1) await redis.publish(keys.quarantineChannel, sealEvidence(foreign, keys, evidence()));
    await redis.incr(keys.quarantineVersion);
    await waitFor('both to have looked', () => nodes.every(({ forged }) => forged.includes(id) && forged.includes('evidence')));
    expect([await isRefused(one, 'key:b'), await isRefused(two, 'key:c')]).toEqual([false, false]);
  });

  it('quarantines nothing by sending true evidence again', async () => {
    const [one, two] = nodes;
    const subscriber = connect();
    const heard: Buffer[] = [];
    subscriber.on('messageBuffer', (_channel, message: Buffer) => heard.push(message));
    await subscriber.subscribe(keys.quarantineChannel);
    await run(one, 'crashed');
    const message = await waitFor('the message', () => heard[0]);
    for (let count = 0; count < 9; count += 1) await redis.publish(keys.quarantineChannel, message);
    await waitFor('all of them', () => heard.length === 10);
    await run(two, 'crashed');
    expect([await isRefused(one), await isRefused(two)]).toEqual([false, false]);
  });

  it('releases nothing: neither by a release nor by removing the entry', async () => {
    const [one, two] = nodes;
    for (let count = 0; count < 3; count += 1) await run(one, 'crashed');
    await waitFor('the quarantine', async () => (await isRefused(one)) && (await isRefused(two)));
    const { version, id, owner, program: name, environment, until } = one.list.entries()[0] as QuarantineEntry;
    // Later than either node's entry: both have come to it by themselves.
    const at = Date.now() + 1_000;
    const release = { version, state: 'released' as const, id, owner, program: name, environment, until, by: 'admin', at };
    await redis.hset(keys.quarantine, id, sealQuarantine(new KeyRing('x'.repeat(40)), keys, release));
    await redis.incr(keys.quarantineVersion);
    await waitFor('both to have looked', () => nodes.every(({ forged }) => forged.includes(id)));
    await redis.del(keys.quarantine);
    await redis.incr(keys.quarantineVersion);
    await Promise.all(nodes.map(({ list }) => list.look()));
    expect([await isRefused(one), await isRefused(two)]).toEqual([true, true]);
    // The control: with the key it is released.
    await redis.hset(keys.quarantine, id, sealQuarantine(keyRing, keys, release));
    await redis.incr(keys.quarantineVersion);
    await waitFor('the release', async () => !(await isRefused(one)) && !(await isRefused(two)));
  });
});
