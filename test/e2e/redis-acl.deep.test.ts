import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { connectRedis, createRedisKeys } from '@python3-cluster/shared';
import { Redis } from 'ioredis';
import { call, legacy, runJob } from '../support/call';
import { RedisServer, startRedisCluster, startReplicated, startSentinels } from '../support/redis-servers';
import { ADMIN_KEY, TestCluster } from '../support/test-cluster';
import { waitFor } from '../support/wait-for';

/** The published rules, as they stand there, but for password and namespace. */
const PAGE = readFileSync(join(__dirname, '..', '..', 'docs', 'deployment.md'), 'utf8');
const [PUBLISHED = '', OF_SENTINELS = ''] = [...PAGE.matchAll(/^user python3-cluster .*$/gm)].map(([line]) => line);
const toArguments = (line: string, namespace: string): string[] =>
  line.replace('PASSWORD', 'secret').replaceAll('python3:*', `${namespace}:*`).split(' ').slice(1);
let server: RedisServer;
let cluster: TestCluster;

beforeAll(async () => {
  server = await RedisServer.start();
  cluster = await TestCluster.start({ redisUrl: `redis://python3-cluster:secret@127.0.0.1:${server.port}`, workers: 0, apis: 0 });
  await server.client.call('ACL', 'SETUSER', ...toArguments(PUBLISHED, cluster.namespace));
});
afterAll(async () => {
  await cluster.stop();
  await server.stop();
});

/** What the user was refused since the last look, but CONFIG. */
async function refusals(): Promise<string[]> {
  const entries = (await server.client.call('ACL', 'LOG', 100)) as unknown[][];
  const objects = entries.map((flat) => flat[flat.indexOf('object') + 1] as string);
  return objects.filter((object) => !object.startsWith('config'));
}

it('the published rights suffice for everything the cluster does', async () => {
  await cluster.startApi();
  cluster.startWorker({ PYTHON3_RESULT_MAX_BYTES: '1048576', PYTHON3_POOL_MAX: '3', PYTHON3_QUARANTINE_BREACHES: '1' });
  await cluster.waitForWorkers(1);
  expect(cluster.workers[0]?.log()).toContain('appendfsync could not be read (CONFIG is not permitted)');

  expect((await runJob(cluster, { code: 'result = 1' })).json.outcome.status).toBe('succeeded');
  expect((await legacy(cluster, 'exec', { code: 'result = text', variables: { text: 'x'.repeat(200_000) } })).status).toBe(200);
  for (const key of ['k', 'k']) await runJob(cluster, { code: 'result = 2' }, { headers: { 'idempotency-key': key } });
  const sleeping = await call(cluster, '/api/v1/jobs', { code: 'import time\ntime.sleep(60)', mode: 'admin', expiresInMs: 60_000 }, { key: ADMIN_KEY });
  await waitFor('it to run', async () => (await call(cluster, `/api/v1/jobs/${sleeping.json.id}`, undefined, { key: ADMIN_KEY })).json.state === 'active');
  await waitFor('its end', async () => {
    const answer = await call(cluster, `/api/v1/jobs/${sleeping.json.id}`, undefined, { method: 'DELETE', key: ADMIN_KEY });
    return answer.json.outcome?.status === 'cancelled';
  });
  expect((await call(cluster, '/api/v1/jobs')).json.jobs.length).toBeGreaterThan(2);
  expect((await legacy(cluster, 'pool-stats')).status).toBe(200);
  // a quarantine, its alert, and its release
  const crashed = await runJob(cluster, { code: 'import os\nos._exit(3)', mode: 'admin' }, { key: ADMIN_KEY });
  expect(crashed.json.outcome.status).toBe('crashed');
  const [entry] = (await call(cluster, '/api/v1/quarantine', undefined, { key: ADMIN_KEY })).json.quarantine;
  const alert = await waitFor('its alert', async () => (await call(cluster, '/api/v1/alerts')).json.active.find((one: { name: string }) => one.name === 'PROGRAM_QUARANTINED'));
  expect((await call(cluster, `/api/v1/alerts/${alert.id}/acknowledge`, undefined, { method: 'POST' })).status).toBe(200);
  expect((await call(cluster, `/api/v1/quarantine/${entry.id}`, undefined, { method: 'DELETE', key: ADMIN_KEY })).status).toBe(200);
  // a lost entry for the reconciler, and more than the sweeper leaves
  const keys = createRedisKeys(cluster.namespace);
  const first = await runJob(cluster, { code: 'result = "x" * 400_000' });
  for (let index = 0; index < 4; index += 1) await runJob(cluster, { code: 'result = "x" * 400_000' });
  await waitFor('the sweeper', async () => (await call(cluster, `/api/v1/jobs/${first.json.id}`)).json.error?.code === 'RESULT_REMOVED');
  // a node that dies, and what it ran, delivered again
  const running = await call(cluster, '/api/v1/jobs', { code: 'import time\ntime.sleep(2)\nresult = 3', mode: 'admin' }, { key: ADMIN_KEY });
  await waitFor('it to run', async () => (await server.client.hget(keys.jobRecord('default', running.json.id as string), 'state')) === 'active');
  await cluster.workers[0]?.stop('SIGKILL');
  cluster.startWorker({ PYTHON3_POOL_MAX: '3' });
  await waitFor('its second run', async () => (await call(cluster, `/api/v1/jobs/${running.json.id}`, undefined, { key: ADMIN_KEY })).json.outcome?.status === 'succeeded');
  expect(await refusals()).toEqual([]);
}, 90_000); // prettier-ignore

it('and permit nothing on other keys, channels or the server', async () => {
  const user = new Redis({ port: server.port, username: 'python3-cluster', password: 'secret', protocol: 2 });
  try {
    await user.wait(0, 1);
    for (const command of [
      ['get', 'other'], ['set', 'python3x:a', '1'], ['eval', "return redis.call('get', 'other')", '0'], ['publish', 'other', 'm'], ['subscribe', 'other'],
      ['keys', '*'], ['scan', '0'], ['randomkey'], ['flushall'], ['flushdb'], ['config', 'get', 'requirepass'], ['config', 'set', 'dir', '/tmp'],
      ['acl', 'list'], ['shutdown'], ['replicaof', 'no', 'one'], ['script', 'flush'], ['function', 'list'],
      ['client', 'kill', 'id', '1'], ['client', 'list'], ['monitor'], ['save'], ['module', 'list'], ['swapdb', '0', '1'], ['migrate', 'h', '1', 'k', '0', '1'],
    ] as const) {
      const answer = await user.call(command[0], ...command.slice(1)).then(String, (error: Error) => error.message);
      expect([command.join(' '), answer]).toEqual([command.join(' '), expect.stringMatching(/NOPERM|can't access|permission/)]);
    } // prettier-ignore
  } finally {
    user.disconnect();
  }
});

it('they suffice on a Cluster, and of sentinels their own', async () => {
  const stops: (() => unknown)[] = [];
  try {
    const nodes = await startRedisCluster(2);
    stops.push(...nodes.map((node) => () => node.stop()));
    for (const node of nodes) await node.client.call('ACL', 'SETUSER', ...toArguments(PUBLISHED, 'python3'));
    const { primary, replica } = await startReplicated(['requirepass p', 'masterauth p']);
    stops.push(
      () => primary.stop(),
      () => replica.stop(),
    );
    await primary.client.call('ACL', 'SETUSER', ...toArguments(PUBLISHED, 'python3'));
    const sentinels = await startSentinels(primary, 'plant', 's', 'p');
    stops.push(...sentinels.map((sentinel) => () => sentinel.stop()));
    for (const sentinel of sentinels) await sentinel.client.call('ACL', 'SETUSER', ...toArguments(OF_SENTINELS, ''));
    for (const url of [
      `redis+cluster://python3-cluster:secret@127.0.0.1:${nodes[0]?.port}`,
      `redis+sentinel://python3-cluster:secret@127.0.0.1:${sentinels[0]?.port}/plant?sentinelUsername=python3-cluster&sentinelPassword=secret`,
    ]) {
      const [redis, subscriber] = ['test', 'subscriber'].map((name) =>
        connectRedis(url, { profile: 'patient', name, onError: () => undefined }),
      ) as [Redis, Redis];
      stops.push(
        () => redis.disconnect(),
        () => subscriber.disconnect(),
      );
      await waitFor('the connections', () => redis.status === 'ready' && subscriber.status === 'ready');
      await subscriber.subscribe('python3:c');
      const heard = new Promise((resolve) => subscriber.once('message', (_, message) => resolve(message)));
      expect(await Promise.all(['a', 'b', 'c'].map((tag) => redis.set(`python3:{${tag}}`, '1')))).toEqual(['OK', 'OK', 'OK']);
      await redis.publish('python3:c', 'm');
      expect(await heard).toBe('m');
    }
    for (const sentinel of sentinels) expect(await sentinel.client.call('ACL', 'LOG')).toEqual([]);
  } finally {
    for (const stop of stops.reverse()) await stop();
  }
}, 60_000);
