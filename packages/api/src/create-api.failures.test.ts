import { describe, expect, it } from '@jest/globals';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { freePort } from '../../../test/support/test-redis';
import { waitFor } from '../../../test/support/wait-for';
import { LEGACY, startApiUnderTest } from '../test/api-under-test';
import { post, useCluster } from '../test/use-cluster';

const { redis, startCluster, stopLater } = useCluster();

describe('an API replica without what it needs', () => {
  it('says that no worker node serves the lane', async () => {
    const { call } = await startCluster();
    const answer = await call('/api/v1/jobs', post('{"code": "1"}'));
    expect([answer.status, answer.body.error.code]).toEqual([503, 'NO_WORKER_FOR_LANE']);
    expect((await call(`${LEGACY}/version`)).body).toMatchObject({ available: false });
  });

  it('answers 503 at once while Redis is away, and heals', async () => {
    const { call } = await startCluster({ play: () => ({ value: Buffer.from('1') }) });
    expect((await call('/health/ready', { key: null })).status).toBe(200);
    await redis().stop();
    const startedAt = performance.now();
    const away = await call(`${LEGACY}/exec`, post('{"code": "1"}'));
    expect(away.status).toBe(503);
    expect(['QUEUE_UNAVAILABLE', 'QUEUE_UNCERTAIN']).toContain(away.body.code);
    await waitFor('the cluster', async () => (await call(`${LEGACY}/exec`, post('{"code": "1"}'))).body.code === 'QUEUE_UNAVAILABLE');
    // A caller that hung would be told after its whole wait, 30 s and more.
    expect(performance.now() - startedAt).toBeLessThan(15_000);
    expect((await call('/health/live', { key: null })).status).toBe(200);
    await waitFor('the cluster', async () => (await call('/health/ready', { key: null })).status === 503);
    await redis().restart();
    await waitFor('the cluster', async () => (await call(`${LEGACY}/exec`, post('{"code": "1"}'))).status === 200);
    await waitFor('the write test', async () => ((await call('/health', { key: null })).body.redis as { writable: boolean }).writable);
  }, 30_000);

  it('says QUEUE_UNCERTAIN with the job id when a frozen Redis confirms nothing, then refuses at once', async () => {
    const { call } = await startCluster({ play: () => ({ value: Buffer.from('1') }) });
    redis().freeze();
    try {
      const uncertain = await call('/api/v1/jobs', post('{"code": "1"}'));
      expect([uncertain.status, uncertain.body.error.code]).toEqual([503, 'QUEUE_UNCERTAIN']);
      expect(uncertain.body.error.jobId).toMatch(/^default\./);
      await waitFor(
        'the registry to be stale',
        async () => (await call('/api/v1/jobs', post('{"code": "1"}'))).body.error.code === 'QUEUE_UNAVAILABLE',
      );
      const startedAt = performance.now();
      expect((await call(`${LEGACY}/exec`, post('{"code": "1"}'))).body.code).toBe('QUEUE_UNAVAILABLE');
      expect((await call('/health/ready', { key: null })).status).toBe(503);
      expect(performance.now() - startedAt).toBeLessThan(10_000);
    } finally {
      redis().thaw();
    }
    await waitFor('the cluster', async () => (await call(`${LEGACY}/exec`, post('{"code": "1"}'))).status === 200);
  }, 30_000);

  it('starts while Redis is away', async () => {
    const started = await startApiUnderTest({ REDIS_URL: `redis://127.0.0.1:${await freePort()}` });
    stopLater(() => started.api.stop());
    expect((await started.call('/api/v1/jobs', post('{"code": "1"}'))).body.error.code).toBe('QUEUE_UNAVAILABLE');
    expect((await started.call('/health', { key: null })).body.redis).toEqual({ reachable: false, writable: false });
  });

  it('says QUEUE_UNAVAILABLE and keeps no record when Redis refuses writes', async () => {
    const { call, namespace } = await startCluster({ play: () => undefined });
    const client = redis().connect();
    await client.config('SET', 'maxmemory', '1');
    const answer = await call('/api/v1/jobs', post('{"code": "1"}'));
    await client.config('SET', 'maxmemory', '0');
    // QUEUE_FULL where a sample of the memory came first
    expect([answer.status, answer.body.error.code]).toEqual([503, expect.stringMatching(/^QUEUE_(UNAVAILABLE|FULL)$/)]);
    expect(await client.keys(`${namespace}:{default}:job:*`)).toEqual([]);
    client.disconnect();
  });

  it('stops accepting while Redis has used 90 % of its memory, then goes on', async () => {
    const { call } = await startCluster({ play: () => ({ value: Buffer.from('1') }) });
    const client = redis().connect();
    const used = Number(/^used_memory:(\d+)/m.exec(await client.info('memory'))?.[1]);
    await client.config('SET', 'maxmemory', Math.round(used * 1.06));
    const full = await waitFor('the limit to be seen', async () => {
      const answer = await call('/api/v1/jobs', post('{"code": "1"}'));
      return answer.status === 503 && answer;
    });
    expect(full.body.error).toMatchObject({ code: 'QUEUE_FULL', message: expect.stringContaining('memory') });
    expect(Number(full.headers.get('retry-after'))).toBeGreaterThan(0);
    await client.config('SET', 'maxmemory', '0');
    await waitFor('the cluster', async () => (await call('/api/v1/jobs', post('{"code": "1"}'))).status === 202);
    client.disconnect();
  });

  it('names a port that is taken', async () => {
    const taken = createServer().listen(0, '127.0.0.1');
    await once(taken, 'listening');
    const { port } = taken.address() as { port: number };
    await expect(startApiUnderTest({ REDIS_URL: redis().url, PORT: String(port) })).rejects.toMatchObject({
      code: 'PORT_IN_USE',
      message: expect.stringContaining(String(port)),
    });
    taken.close();
  });
});

describe('a stopping replica', () => {
  it('lets a waiting caller finish, then closes', async () => {
    const { call, api, worker } = await startCluster({ play: (job) => (job.kind === 'eval' ? { value: Buffer.from('1') } : undefined) });
    const waiting = call('/api/v1/jobs', { ...post('{"code": "1"}'), headers: { prefer: 'wait=60' } });
    await waitFor('the job to be taken', () => worker?.taken.length === 1);
    const stopped = api.stop();
    expect((await waiting).status).toBe(202);
    await stopped;
    await expect(call('/health/live')).rejects.toThrow();
  });
});
