import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { createRedisKeys } from '@python3-cluster/shared';
import { call, runJob } from '../support/call';
import { startRedisCluster, type RedisServer } from '../support/redis-servers';
import { ADMIN_KEY, TestCluster } from '../support/test-cluster';
import { waitFor } from '../support/wait-for';

let nodes: RedisServer[];
let cluster: TestCluster;
/** One lane on each node. */
let lanes: string[];

beforeAll(async () => {
  nodes = await startRedisCluster(3);
  lanes = await chooseLanes();
  const hosts = nodes.slice(0, 2).map((node) => `127.0.0.1:${node.port}`);
  cluster = await TestCluster.start({
    redisUrl: `redis+cluster://${hosts.join(',')}`,
    workers: 2,
    settings: { PYTHON3_LANES: lanes.join(','), PYTHON3_POOL_MAX: '3', PYTHON3_RESULT_MAX_BYTES: '2000000' },
  });
}, 60_000);
afterAll(async () => {
  await cluster.stop();
  for (const node of nodes) await node.stop();
});

async function chooseLanes(): Promise<string[]> {
  const found = new Map<number, string>();
  for (let index = 0; found.size < 3; index += 1) {
    const lane = index === 0 ? 'default' : `line-${index}`;
    const node = Math.floor((Number(await nodes[0]?.client.call('cluster', 'keyslot', `{${lane}}`)) * 3) / 16_384);
    if (!found.has(node)) found.set(node, lane);
  }
  return [...found.values()];
}

/** The node a lane's keys are on. */
async function nodeOf(key: string): Promise<RedisServer> {
  for (const node of nodes) if ((await node.client.exists(key).catch(() => 0)) === 1) return node;
  throw new Error(`${key} is nowhere`);
}

describe('on a Redis Cluster of three nodes, jobs of three lanes', () => {
  it('run end to end, and each lane lives on a node of its own', async () => {
    const keys = createRedisKeys(cluster.namespace);
    const homes = new Set<number>();
    for (const lane of lanes) {
      const answers = await Promise.all(
        Array.from({ length: 20 }, (_, index) => runJob(cluster, { lane, code: 'result = 2 ** 70 + i', variables: { i: index } })),
      );
      for (const [index, answer] of answers.entries()) {
        expect([answer.status, answer.json.outcome?.status]).toEqual([200, 'succeeded']);
        expect(answer.text).toContain(String(2n ** 70n + BigInt(index)));
        homes.add((await nodeOf(keys.jobRecord(lane, answer.json.id))).port);
      }
    }
    expect(homes.size).toBe(3);
    // larger than a queue entry, and than a published outcome
    const large = await runJob(cluster, { lane: lanes[2], code: 'result = text', variables: { text: 'x'.repeat(200_000) } });
    expect(large.json.outcome.value).toHaveLength(200_000);
  });

  it('are listed, cancelled and replayed by key', async () => {
    const submitted: string[] = [];
    for (const lane of lanes) {
      const sleeping = await call(
        cluster,
        '/api/v1/jobs',
        { lane, code: 'import time\ntime.sleep(60)', mode: 'admin' },
        { key: ADMIN_KEY },
      );
      expect(sleeping.status).toBe(202);
      submitted.push(sleeping.json.id as string);
    }
    const listed = await call(cluster, '/api/v1/jobs?limit=10', undefined, { key: ADMIN_KEY });
    expect(listed.json.jobs.map((job: { id: string }) => job.id)).toEqual(expect.arrayContaining(submitted));
    for (const id of submitted) {
      const ended = await waitFor('its end', async () => {
        const answer = await call(cluster, `/api/v1/jobs/${id}`, undefined, { method: 'DELETE', key: ADMIN_KEY });
        return answer.status === 200 && answer;
      });
      expect(ended.json.outcome.status).toBe('cancelled');
    }
    const once = async (): Promise<string> => {
      const answer = await runJob(
        cluster,
        { lane: lanes[1], code: 'import random\nresult = random.random()' },
        { headers: { 'idempotency-key': 'k-1' } },
      );
      expect(answer.status).toBe(200);
      return answer.json.id as string;
    };
    expect(await once()).toBe(await once());
  });

  it('get an outcome when the queue loses them, and are swept when they are too many', async () => {
    const keys = createRedisKeys(cluster.namespace);
    const lane = lanes[1] as string;
    // All slots of both nodes are held, so the next job waits.
    const holders = await Promise.all(
      Array.from({ length: 6 }, () =>
        call(cluster, '/api/v1/jobs', { lane, code: 'import time\ntime.sleep(60)', mode: 'admin' }, { key: ADMIN_KEY }),
      ),
    );
    await waitFor('them to run', async () => {
      const states = await Promise.all(holders.map((held) => call(cluster, `/api/v1/jobs/${held.json.id}`, undefined, { key: ADMIN_KEY })));
      return states.every((state) => state.json.state === 'active');
    });
    const lost = await call(cluster, '/api/v1/jobs', { lane, code: 'result = 1' });
    const home = await nodeOf(keys.jobRecord(lane, lost.json.id as string));
    await home.client.lrem(`${keys.queuePrefix(lane)}:${keys.queueName}:wait`, 0, lost.json.id as string);
    await home.client.del(keys.queueEntry(lane, lost.json.id as string));
    const settled = await waitFor(
      'the reconciler',
      async () => {
        const answer = await call(cluster, `/api/v1/jobs/${lost.json.id}`);
        return answer.json.state === 'finished' && answer;
      },
      40_000,
    );
    expect(settled.json.outcome.error.type).toBe('QueueEntryLost');
    for (const held of holders) await call(cluster, `/api/v1/jobs/${held.json.id}`, undefined, { method: 'DELETE', key: ADMIN_KEY });

    const first = await runJob(cluster, { lane: lanes[0], code: 'result = "x" * 300_000' });
    for (const each of lanes) await Promise.all([0, 1, 2].map(() => runJob(cluster, { lane: each, code: 'result = "x" * 300_000' })));
    const gone = await waitFor('the sweeper', async () => {
      const answer = await call(cluster, `/api/v1/jobs/${first.json.id}`);
      return answer.status !== 200 && answer;
    });
    expect([gone.status, gone.json.error.code]).toEqual([410, 'RESULT_REMOVED']);
  }, 90_000);
});
