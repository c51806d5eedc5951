import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { call, runJob } from '../support/call';
import { ADMIN_KEY, SIGNING_KEY, TestCluster } from '../support/test-cluster';

let cluster: TestCluster;
beforeAll(async () => {
  cluster = await TestCluster.start();
});
afterAll(() => cluster.stop());

it('the API still shows outcomes to their owner after the key was rotated', async () => {
  const before = await runJob(cluster, { code: 'result = 1' }, { key: ADMIN_KEY });
  const rotated = { PYTHON3_SIGNING_KEY: 'the-new-signing-key-of-the-tests-0123456789', PYTHON3_SIGNING_KEYS: SIGNING_KEY };
  await cluster.startApi(rotated);
  cluster.startWorker({ ...rotated, PYTHON3_LANES: 'rotated' });
  await cluster.waitForWorkers(2);
  const read = await call(cluster, `/api/v1/jobs/${before.json.id as string}`, undefined, { key: ADMIN_KEY, replica: 1 });
  expect(read.json.outcome).toMatchObject({ status: 'succeeded', value: 1 });
  const after = await call(
    cluster,
    '/api/v1/jobs',
    { code: 'result = 2', lane: 'rotated' },
    { replica: 1, headers: { prefer: 'wait=30' } },
  );
  expect(after.json.outcome).toMatchObject({ status: 'succeeded', value: 2 });
  // A worker node that has not got the new key yet leaves what it signs to one that has it.
  cluster.startWorker(rotated);
  const left = await call(cluster, '/api/v1/jobs', { code: 'result = 3' }, { replica: 1, headers: { prefer: 'wait=30' } });
  expect(left.json.outcome).toMatchObject({ status: 'succeeded', value: 3 });
});
