import { randomBytes } from 'node:crypto';
import { afterAll, expect, it } from '@jest/globals';
import { createJobId, createRedisKeys, defineJobCommands, finishJobKeys, formatTally, MAX_PUBLISHED_BYTES } from '@python3-cluster/shared';
import { Redis } from 'ioredis';
import { call, runJob } from '../support/call';
import { ADMIN_KEY, TestCluster } from '../support/test-cluster';
import { startPrivateRedis } from '../support/test-redis';
import { waitFor } from '../support/wait-for';

const TALLY = formatTally({ status: 'succeeded', kind: 'exec', worker: 'node-1' });

const stops: (() => unknown)[] = [];
afterAll(async () => {
  for (const stop of stops.reverse()) await stop();
});

const MEGABYTE = 1_000_000;

it('5,000 outcomes of 100 kB on a then idle queue leave at most 64 MB within 60 s, and the newest can still be fetched', async () => {
  const server = await startPrivateRedis();
  stops.push(() => server.stop());
  const redis = defineJobCommands(new Redis(server.url, { protocol: 2 }));
  stops.push(() => redis.disconnect());
  const cluster = await TestCluster.start({ redisUrl: server.url });
  stops.push(() => cluster.stop());
  const usedBytes = async (): Promise<number> => Number(/used_memory:(\d+)/.exec(await redis.info('memory'))?.[1]);
  const baseline = await usedBytes();

  const keys = createRedisKeys(cluster.namespace);
  const outcome = randomBytes(75_000).toString('base64');
  let first = '';
  for (let batch = 0; batch < 100; batch += 1) {
    await Promise.all(
      Array.from({ length: 50 }, async () => {
        const id = createJobId('default');
        first ||= id;
        const record = keys.jobRecord('default', id);
        await redis.hset(record, 'job', 'x'.repeat(700), 'state', 'active', 'token', 't');
        await redis.finishJob(
          ...finishJobKeys(keys, 'default', id),
          't',
          Buffer.from(outcome),
          3_600_000,
          '',
          id,
          MAX_PUBLISHED_BYTES,
          TALLY,
        );
      }),
    );
  }
  const last = await runJob(cluster, { code: 'result = "x" * 100_000' });
  const idleSince = Date.now();
  const before = (await usedBytes()) - baseline;
  const left = await waitFor(
    'at most 64 MB',
    async () => {
      const bytes = (await usedBytes()) - baseline;
      return bytes <= 64 * MEGABYTE && bytes;
    },
    60_000,
  );
  process.stderr.write(
    `promise 11: ${(before / MEGABYTE).toFixed(0)} MB when idle began, ${(left / MEGABYTE).toFixed(1)} MB ${Date.now() - idleSince} ms later\n`,
  );
  expect(await call(cluster, `/api/v1/jobs/${first}`)).toMatchObject({ status: 404, json: { error: { code: 'JOB_NOT_FOUND' } } });
  expect((await call(cluster, `/api/v1/jobs/${last.json.id}`)).json).toMatchObject({ outcome: { status: 'succeeded' } });
}, 120_000);

it('one owner’s flood of outcomes leaves another’s older one where it is', async () => {
  const cluster = await TestCluster.start({ settings: { PYTHON3_RESULT_MAX_BYTES: '1048576' } });
  stops.push(() => cluster.stop());
  const quiet = await runJob(cluster, { code: 'result = 1' }, { key: ADMIN_KEY });
  const first = await runJob(cluster, { code: 'result = "x" * 300_000' });
  for (let index = 0; index < 5; index += 1) await runJob(cluster, { code: 'result = "x" * 300_000' });
  await waitFor(
    'the flood to be swept',
    async () => (await call(cluster, `/api/v1/jobs/${first.json.id}`)).json.error?.code === 'RESULT_REMOVED',
  );
  expect(await call(cluster, `/api/v1/jobs/${quiet.json.id}`, undefined, { key: ADMIN_KEY })).toMatchObject({
    status: 200,
    json: { outcome: { value: 1 } },
  });
}, 60_000);
