import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Redis } from 'ioredis';
import { Queue } from 'bullmq';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import {
  connectRedis, createJobId, createRedisKeys, EXIT_CODES, KeyRing, RECORD_FIELDS, readSigningProbe, replaceSigningProbe, seal, type RedisKeys,
} from '@python3-cluster/shared'; // prettier-ignore
import { ADMIN_KEY, SIGNING_KEY, spawnLogged, TestCluster, type TestProcess } from '../support/test-cluster';
import { call, exec, runJob } from '../support/call';
import { waitFor } from '../support/wait-for';

const OTHER_KEY = 'the-other-signing-key-of-the-tests-0123456789';
const COMMAND = join(__dirname, '..', '..', 'packages', 'cli', 'bin', 'python3-cluster.js');
const idOf = (key: string): string => new KeyRing(key).currentKeyId;

let cluster: TestCluster;
let redis: Redis;
let keys: RedisKeys;
let directory: string;
const others: TestProcess[] = [];
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'p3-key-'));
});
afterEach(async () => {
  redis.disconnect();
  await Promise.all(others.splice(0).map((one) => one.stop('SIGKILL')));
  await cluster.stop();
  rmSync(directory, { recursive: true, force: true });
});

async function startCluster(workers: number, settings: Record<string, string> = {}): Promise<void> {
  cluster = await TestCluster.start({ workers, settings });
  keys = createRedisKeys(cluster.namespace);
  redis = connectRedis(cluster.redisUrl, { profile: 'patient', name: 'test', onError: () => undefined });
}

const exitOf = (one: TestProcess): Promise<number | null> =>
  one.process.exitCode === null ? new Promise((resolve) => one.process.once('exit', resolve)) : Promise.resolve(one.process.exitCode);

async function runCommand(args: string[], settings: Record<string, string> = {}): Promise<[number | null, string]> {
  const environment = {
    PATH: process.env['PATH'], REDIS_URL: cluster.redisUrl, PYTHON3_NAMESPACE: cluster.namespace, PYTHON3_DATA_DIRECTORY: directory, PORT: '0', ...settings,
  }; // prettier-ignore
  const one = spawnLogged(process.execPath, [COMMAND, ...args], environment);
  others.push(one);
  const code = await exitOf(one);
  return [code, one.log()];
}

/** As if the cluster had been given another key while its processes run. */
async function changeClusterKey(to: string): Promise<void> {
  const tools = { redis, keys, keyRing: new KeyRing(to) };
  expect(await replaceSigningProbe(tools, await readSigningProbe(tools))).toBe(true);
}

describe('a process with another signing key', () => {
  it.each(['worker', 'api'])('%s does not start, says both key ids and what to do, and loses no job', async (command) => {
    await startCluster(1);
    const [code, log] = await runCommand([command], { PYTHON3_SIGNING_KEY: OTHER_KEY });
    expect([code, log]).toEqual([EXIT_CODES.usage, expect.stringContaining('SIGNING_KEY_MISMATCH')]);
    for (const words of [idOf(SIGNING_KEY), idOf(OTHER_KEY), 'PYTHON3_SIGNING_KEYS', 'adopt-signing-key']) expect(log).toContain(words);
    expect(log).not.toContain(OTHER_KEY);
    const answers = await Promise.all(Array.from({ length: 10 }, () => exec(cluster, 'result = 1')));
    expect(answers.map(({ json }) => json.result)).toEqual(Array(10).fill(1));
  });

  it('is told so by doctor, which says of the right key that it is right', async () => {
    await startCluster(1);
    const [code, log] = await runCommand(['doctor'], { PYTHON3_SIGNING_KEY: OTHER_KEY });
    expect([code, log]).toEqual([EXIT_CODES.cannotStart, expect.stringMatching(/FAIL +Signing key.*adopt-signing-key/)]);
    expect((await runCommand(['doctor'], { PYTHON3_SIGNING_KEY: SIGNING_KEY }))[1]).toMatch(
      new RegExp(`ok +Signing key +${idOf(SIGNING_KEY)}`),
    );
    expect((await runCommand(['doctor']))[1]).toMatch(/warn +Signing key/);
  });

  it('is let in once its key was adopted, for which the others are then told to change theirs', async () => {
    await startCluster(1);
    const [code, log] = await runCommand(['adopt-signing-key'], { PYTHON3_SIGNING_KEY: OTHER_KEY });
    expect([code, log]).toEqual([0, expect.stringContaining(idOf(OTHER_KEY))]);
    cluster.startWorker({ PYTHON3_SIGNING_KEY: OTHER_KEY });
    await cluster.waitForWorkers(2);
    const refused = await waitFor('the replica to see it', async () => {
      const answer = await call(cluster, '/api/v1/jobs', { code: 'result = 1' });
      return answer.status === 503 && answer;
    });
    expect(refused.json.error).toMatchObject({ code: 'SIGNING_KEY_MISMATCH' });
  });
});

it('a key is the same from a file with line ends around it and from a variable with them; an empty file is told', async () => {
  await startCluster(0);
  const file = join(directory, 'key');
  writeFileSync(file, `\n${SIGNING_KEY}\r\n`);
  cluster.startWorker({ PYTHON3_SIGNING_KEY: '', PYTHON3_SIGNING_KEY_FILE: file });
  cluster.startWorker({ PYTHON3_SIGNING_KEY: `${SIGNING_KEY}\n` });
  await cluster.waitForWorkers(2);
  writeFileSync(file, '\n');
  const [code, log] = await runCommand(['worker'], { PYTHON3_SIGNING_KEY_FILE: file });
  expect([code, log]).toEqual([EXIT_CODES.usage, expect.stringContaining('empty')]);
});

it('a probe that somebody changed is written anew, and told; nobody is kept out by it', async () => {
  await startCluster(1);
  const tools = { redis, keys, keyRing: new KeyRing(SIGNING_KEY) };
  const context = { purpose: 'record', scope: 'signing-probe', subject: 'elsewhere' } as const;
  for (const damage of [
    () => redis.set(keys.signingProbe, 'nonsense'),
    () => redis.set(keys.signingProbe, seal(tools.keyRing, context, Buffer.from('{}'))),
    async () => (await redis.del(keys.signingProbe), redis.sadd(keys.signingProbe, 'a')),
    () => redis.del(keys.signingProbe),
  ]) {
    await damage();
    await waitFor('it to be written anew', async () => (await readSigningProbe(tools)).state === 'fits', 30_000);
  }
  expect([...cluster.workers, ...cluster.apis].map((one) => one.log()).join('')).toContain('the probe of the signing key was changed');
  cluster.startWorker();
  await cluster.waitForWorkers(2);
}, 120_000);

describe('with the key changed while they run', () => {
  it('a node without it hands jobs back to one that has it, and one alert names the node and the cause', async () => {
    await startCluster(0, { PYTHON3_ALERT_CLEAR_SECONDS: '1' });
    cluster.startWorker({ PYTHON3_NODE_NAME: 'behind' });
    await cluster.waitForWorkers(1);
    await changeClusterKey(OTHER_KEY);
    const rotated = { PYTHON3_SIGNING_KEY: OTHER_KEY, PYTHON3_SIGNING_KEYS: SIGNING_KEY };
    await cluster.startApi(rotated);
    const ahead = { replica: 1, key: ADMIN_KEY };
    // Nobody else is there yet: each of them meets the node without the key.
    const ids = await Promise.all(
      Array.from({ length: 6 }, async (_, index) => (await call(cluster, '/api/v1/jobs', { code: `result = ${index}` }, ahead)).json.id as string),
    );
    const behind = cluster.workers[0] as TestProcess;
    for (const id of ids) await waitFor('it to be handed back', () => behind.log().includes(id));
    cluster.startWorker({ ...rotated, PYTHON3_NODE_NAME: 'ahead' });
    for (const [index, id] of ids.entries()) {
      const ended = await waitFor('its outcome', async () => {
        const { json } = await call(cluster, `/api/v1/jobs/${id}`, undefined, ahead);
        return json.state === 'finished' && json;
      }, 60_000);
      expect(ended.outcome).toMatchObject({ status: 'succeeded', value: index });
    }
    const workers = (await call(cluster, '/api/v1/workers', undefined, ahead)).json.workers as { nodeName: string; signing: unknown }[];
    expect(Object.fromEntries(workers.map(({ nodeName, signing }) => [nodeName, signing]))).toEqual({
      behind: { keyId: idOf(SIGNING_KEY), keyIds: [idOf(SIGNING_KEY)] },
      ahead: { keyId: idOf(OTHER_KEY), keyIds: [idOf(OTHER_KEY), idOf(SIGNING_KEY)] },
    });
    const alerts = await waitFor('the alert', async () => {
      const { active } = (await call(cluster, '/api/v1/alerts', undefined, ahead)).json as { active: { name: string; subject: string; message: string }[] };
      const found = active.filter(({ name }) => name === 'SIGNING_KEY_MISMATCH');
      return found.length > 0 && found;
    }, 30_000);
    expect(alerts).toMatchObject([{ subject: 'behind', message: expect.stringContaining(idOf(SIGNING_KEY)) }]);
  }, 150_000); // prettier-ignore

  it('a job that nobody signed is rejected at once by a node that has the cluster’s key', async () => {
    await startCluster(1);
    const id = await putForged();
    await waitFor('its outcome', async () => (await redis.hget(keys.jobRecord('default', id), RECORD_FIELDS.state)) === 'finished');
    expect(cluster.workers[0]?.log()).toContain('JOB_SIGNATURE_INVALID');
    expect(await redis.exists(keys.handedBack('default', id))).toBe(0);
  });

  it('nor does it go round for ever where the probe is forged, too: it is rejected when an accepted job would have expired', async () => {
    await startCluster(1, { PYTHON3_JOB_VALIDITY_SECONDS: '60' });
    await changeClusterKey(OTHER_KEY);
    const id = await putForged();
    await waitFor('it to be handed back', async () => (await redis.hget(keys.handedBack('default', id), 'times')) !== null);
    // As if it had gone round since then.
    await redis.hset(keys.handedBack('default', id), 'since', Date.now() - 61_000);
    await waitFor('its outcome', async () => (await redis.hget(keys.jobRecord('default', id), RECORD_FIELDS.state)) === 'finished', 30_000);
    expect(cluster.workers[0]?.log()).toContain('JOB_SIGNATURE_INVALID');
    // What is signed with a key that the node has runs all the same.
    expect((await redis.get(keys.signingProbe))?.split('.')[1]).toBe(idOf(OTHER_KEY));
  }, 90_000);

  async function putForged(): Promise<string> {
    const id = createJobId('default');
    await redis.hset(keys.jobRecord('default', id), { [RECORD_FIELDS.state]: 'waiting' });
    const queue = new Queue(keys.queueName, { connection: redis, prefix: keys.queuePrefix('default') });
    const sealed = seal(
      new KeyRing('f'.repeat(40)),
      { purpose: 'job', scope: 'default', subject: id },
      Buffer.from('{"code":"result = 1"}'),
    );
    await queue.add('exec', { sealed: sealed.toString() }, { jobId: id, removeOnComplete: true, removeOnFail: true });
    await queue.close();
    return id;
  }
});

it('a rotation as the pages say it goes through, process by process, and the former key is then kept out', async () => {
  await startCluster(1);
  const first = { PYTHON3_SIGNING_KEY: SIGNING_KEY, PYTHON3_SIGNING_KEYS: OTHER_KEY };
  const second = { PYTHON3_SIGNING_KEY: OTHER_KEY, PYTHON3_SIGNING_KEYS: SIGNING_KEY };
  const third = { PYTHON3_SIGNING_KEY: OTHER_KEY };
  for (const [step, settings] of [first, second, third].entries()) {
    await cluster.workers[step]?.stop();
    const worker = cluster.startWorker(settings);
    await waitFor('the node to be up', () => worker.log().includes('worker node is up'));
    await cluster.waitForWorkers(1);
    await cluster.apis[step]?.stop();
    await cluster.startApi(settings);
    const answer = await runJob(cluster, { code: 'result = 1' }, { replica: step + 1 });
    expect([settings, answer.json]).toMatchObject([settings, { outcome: { status: 'succeeded' } }]);
    // Asks the replica that is there.
    cluster.ports[0] = cluster.ports[step + 1] ?? 0;
  }
  expect((await runCommand(['worker'], { PYTHON3_SIGNING_KEY: SIGNING_KEY }))[0]).toBe(EXIT_CODES.usage);
}, 120_000);
