import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { createRedisKeys } from '@python3-cluster/shared';
import { Redis } from 'ioredis';
import { assertOwnAnswers, call, legacy } from '../support/call';
import { jobsOf } from '../support/jobs';
import { TestCluster } from '../support/test-cluster';
import { waitFor } from '../support/wait-for';

let cluster: TestCluster | undefined;
let redis: Redis;
beforeAll(() => void (redis = new Redis(process.env['PYTHON3_TEST_REDIS_URL'] ?? '', { protocol: 2 })));
afterAll(async () => {
  await cluster?.stop();
  redis.disconnect();
});

it('accepted jobs whose queue entries somebody deletes have an outcome within 60 s, told to a waiting caller too', async () => {
  const settings = { PYTHON3_POOL_MIN: '3', PYTHON3_POOL_MAX: '3' };
  cluster = await TestCluster.start({ settings });
  const api = cluster;
  const hold = { code: 'import time\ntime.sleep(14)\nresult = 1', timeoutMs: 30_000 };
  const held = await Promise.all(Array.from({ length: 3 }, () => call(api, '/api/v1/jobs', hold)));
  await waitFor('every slot to be held', async () => (await legacy(api, 'pool-stats')).json.inUse === 3);
  const waiting = [
    call(api, '/api/v1/jobs', { code: 'result = 1' }, { headers: { prefer: 'wait=60' } }),
    call(api, '/api/v1/jobs', { code: 'result = 1', delivery: 'at-most-once' }, { headers: { prefer: 'wait=60' } }),
  ];
  const keys = createRedisKeys(api.namespace);
  const queue = keys.queueEntry('default', '');
  await waitFor('both to wait', async () => (await redis.zcard(`${queue}prioritized`)) === 2);
  const deletedAt = Date.now();
  for (const id of await redis.zrange(`${queue}prioritized`, 0, '-1')) await redis.del(keys.queueEntry('default', id));
  await redis.del(`${queue}prioritized`);

  const [again, once] = await Promise.all(waiting);
  process.stderr.write(`queue entries deleted: outcomes ${Date.now() - deletedAt} ms later\n`);
  expect(Date.now() - deletedAt).toBeLessThan(60_000);
  expect(again?.json).toMatchObject({ outcome: { status: 'crashed', error: { type: 'QueueEntryLost' } }, attempts: [] });
  expect(once?.json).toMatchObject({ outcome: { status: 'lost', error: { type: 'QueueEntryLost' } }, attempts: [] });
  // Those that ran meanwhile are none of the reconciler's business.
  for (const answer of held) {
    const job = await jobsOf(api).ended(answer.json.id as string);
    expect(job).toMatchObject({ outcome: { status: 'succeeded' }, attempts: [{ number: 1 }] });
  }
  await assertOwnAnswers(api);
  expect(await redis.zcard(keys.openJobs('default'))).toBe(0);
}, 90_000);
