import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { createRedisKeys } from '@python3-cluster/shared';
import { Redis } from 'ioredis';
import { call } from '../support/call';
import type { OtlpReceiver, ReceivedSpan } from '../support/otlp-receiver';
import type { TestCluster } from '../support/test-cluster';
import { assertConnected, caller, one, type Caller } from '../support/trace-checks';
import { waitFor } from '../support/wait-for';
import { startTracedCluster, type TracedCluster } from '../support/traced-cluster';

let traced: TracedCluster;
let receiver: OtlpReceiver;
let cluster: TestCluster;
beforeAll(async () => {
  traced = await startTracedCluster();
  ({ receiver, cluster } = traced);
});
afterAll(() => traced.stop());

it('the traces of jobs that nobody runs say how they ended: too late, with a seal that is not ours, lost by the queue', async () => {
  const [late, forged, missing] = [caller(), caller(), caller()];
  const submit = async (job: object, from: Caller): Promise<string> =>
    (await call(cluster, '/api/v1/jobs', { code: 'result = 1', ...job }, { headers: from.headers })).json.id as string;
  const redis = new Redis(cluster.redisUrl);
  try {
    const keys = createRedisKeys(cluster.namespace);
    for (const { process: worker } of cluster.workers) worker.kill('SIGSTOP');
    await submit({ expiresInMs: 200 }, late);
    const submittedAt = Date.now();
    await redis.hset(keys.queueEntry('default', await submit({}, forged)), 'data', '{"sealed":"no seal"}');
    const lost = await submit({ delayMs: 60_000 }, missing);
    await redis.del(keys.queueEntry('default', lost));
    await redis.zrem(keys.queueEntry('default', 'delayed'), lost);
    await waitFor('the time of the first to be over', () => Date.now() > submittedAt + 200);
  } finally {
    for (const { process: worker } of cluster.workers) worker.kill('SIGCONT');
    redis.disconnect();
  }
  const endOf = async ({ traceId, spanId }: Caller, name: string): Promise<ReceivedSpan> => {
    const spans = await receiver.trace(traceId, name, 'POST /api/v1/jobs');
    assertConnected(spans, spanId);
    return one(spans, name);
  };
  expect(await endOf(late, 'process default')).toMatchObject({ isError: true, attributes: { 'python3.outcome.status': 'expired' } });
  expect(await endOf(forged, 'process default')).toMatchObject({ isError: true, attributes: { 'python3.outcome.status': 'rejected' } });
  expect(await endOf(missing, 'settle default')).toMatchObject({
    isError: true, attributes: { 'python3.outcome.status': 'crashed', 'error.type': 'QueueEntryLost' },
  }); // prettier-ignore
});
