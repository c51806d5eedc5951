import { expect, it } from '@jest/globals';
import { createRedisKeys, RECORD_FIELDS } from '@python3-cluster/shared';
import type { Redis } from 'ioredis';
import { waitFor } from '../../../../test/support/wait-for';
import { DEVELOPER_KEY, LEGACY } from '../../test/api-under-test';
import { post, useCluster } from '../../test/use-cluster';

const { redis, startCluster, stopLater } = useCluster();

function connect(): Redis {
  const client = redis().connect();
  stopLater(() => Promise.resolve(client.disconnect()));
  return client;
}

async function isCancelled(client: Redis, namespace: string): Promise<boolean> {
  const [record] = await client.keys(createRedisKeys(namespace).jobRecord('default', '*'));
  return record !== undefined && (await client.hexists(record, RECORD_FIELDS.cancelRequested)) === 1;
}

function hangUpable(origin: string, path: string, headers: Record<string, string> = {}): { hangUp: () => Promise<void> } {
  const aborter = new AbortController();
  const sent = fetch(origin + path, {
    ...post('{"code": "1"}'),
    signal: aborter.signal,
    headers: { authorization: `Bearer ${DEVELOPER_KEY}`, 'content-type': 'application/json', ...headers },
  });
  return {
    hangUp: async () => {
      aborter.abort();
      await sent.catch(() => undefined);
    },
  };
}

it.each(['exec', 'check-syntax'])('a caller of %s that hangs up has its job cancelled', async (route) => {
  const { origin, namespace, worker } = await startCluster({ play: () => undefined });
  const client = connect();
  const { hangUp } = hangUpable(origin, `${LEGACY}/${route}`);
  await waitFor('the job to be taken', () => worker?.taken.length === 1);
  expect(await isCancelled(client, namespace)).toBe(false);
  await hangUp();
  await waitFor('the cancellation', () => isCancelled(client, namespace), 1_000);
});

it('a caller that hangs up while its job is being queued has it cancelled, too', async () => {
  const { origin, namespace } = await startCluster({ play: () => undefined });
  const client = connect();
  await client.ping();
  redis().freeze();
  const { hangUp } = hangUpable(origin, `${LEGACY}/exec`);
  try {
    // Long enough for the request to reach the frozen server.
    await new Promise((resolve) => setTimeout(resolve, 300));
    await hangUp();
    await new Promise((resolve) => setTimeout(resolve, 200));
  } finally {
    redis().thaw();
  }
  await waitFor('the cancellation', () => isCancelled(client, namespace), 2_000);
});

it('a caller that hangs up while Redis does not answer has its job cancelled when it does again', async () => {
  const { origin, namespace, worker } = await startCluster({ play: () => undefined });
  const client = connect();
  const { hangUp } = hangUpable(origin, `${LEGACY}/exec`);
  await waitFor('the job to be taken', () => worker?.taken.length === 1);
  redis().freeze();
  try {
    await hangUp();
    // Longer than a command may take.
    await new Promise((resolve) => setTimeout(resolve, 2_500));
  } finally {
    redis().thaw();
  }
  await waitFor('the cancellation', () => isCancelled(client, namespace), 2_000);
});

it('a modern caller that hangs up leaves its job alone', async () => {
  const { origin, namespace, worker, call } = await startCluster({ play: () => undefined });
  const client = connect();
  const { hangUp } = hangUpable(origin, '/api/v1/jobs', { prefer: 'wait=30' });
  await waitFor('the job to be taken', () => worker?.taken.length === 1);
  await hangUp();
  // Whatever the end of the connection sets off has been sent by then.
  await call('/api/v1/jobs');
  await new Promise((resolve) => setTimeout(resolve, 200));
  expect(await isCancelled(client, namespace)).toBe(false);
});

it('a replica that stops tells its callers that their jobs go on, and cancels none', async () => {
  const { api, call, namespace, worker } = await startCluster({ play: () => undefined });
  const client = connect();
  const waiting = call(`${LEGACY}/exec`, post('{"code": "1"}'));
  await waitFor('the job to be taken', () => worker?.taken.length === 1);
  await api.stop();
  expect((await waiting).body.code).toBe('OUTCOME_UNKNOWN');
  expect(await isCancelled(client, namespace)).toBe(false);
});

it('a caller that was answered has nothing cancelled', async () => {
  const { call, namespace } = await startCluster({ play: () => ({ value: Buffer.from('1') }) });
  const client = connect();
  expect((await call(`${LEGACY}/exec`, { ...post('{"code": "1"}'), headers: { connection: 'close' } })).body.success).toBe(true);
  await new Promise((resolve) => setTimeout(resolve, 200));
  expect(await isCancelled(client, namespace)).toBe(false);
});
