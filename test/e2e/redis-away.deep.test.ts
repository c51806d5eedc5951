import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from '@jest/globals';
import { TestCluster, DEVELOPER_KEY } from '../support/test-cluster';
import { freePort, startPrivateRedis } from '../support/test-redis';
import { call, exec } from '../support/call';
import { waitFor } from '../support/wait-for';

const directory = mkdtempSync(join(tmpdir(), 'python3-test-redis-'));
const stops: (() => Promise<void>)[] = [];
afterAll(async () => {
  for (const stop of stops) await stop();
  rmSync(directory, { recursive: true, force: true });
});

it('Redis away at start and later: 503 at once, heals by itself, and nothing accepted is missing', async () => {
  const port = await freePort();
  const redisUrl = `redis://127.0.0.1:${port}/0`;
  const cluster = await TestCluster.start({ redisUrl, workers: 0 });
  stops.push(() => cluster.stop());

  const refused = async (): Promise<void> => {
    const startedAt = Date.now();
    const answer = await exec(cluster, 'result = 1');
    expect({ status: answer.status, code: answer.json.code, retryAfter: Number(answer.headers.get('retry-after')) > 0 }).toEqual({
      status: 503,
      code: 'QUEUE_UNAVAILABLE',
      retryAfter: true,
    });
    // A caller that hung would be told after its whole wait, 30 s and more.
    expect(Date.now() - startedAt).toBeLessThan(15_000);
    expect((await call(cluster, '/health/live', undefined, { key: null })).status).toBe(200);
    expect((await call(cluster, '/health/ready', undefined, { key: null })).status).toBe(503);
  };

  // Away at start, for the worker node too.
  const worker = cluster.startWorker();
  await refused();
  await waitFor('the node to miss it', () => worker.log().includes('cannot reach Redis'));

  let redis = await startPrivateRedis({ port, directory });
  await cluster.waitForWorkers(1);
  await waitFor('the first answer', async () => (await exec(cluster, 'result = 1')).json.result === 1);

  // Accepted while there is nobody to run them; then Redis restarts from its append-only file.
  const accepted: string[] = [];
  for (let index = 0; index < 20; index += 1) {
    const answer = await call(cluster, '/api/v1/jobs', { code: 'import time\ntime.sleep(0.2)\nresult = i', variables: { i: index } });
    expect(answer.status).toBe(202);
    accepted.push(answer.json.id as string);
  }
  await redis.stop();
  await refused();
  redis = await startPrivateRedis({ port, directory });
  stops.push(() => redis.stop());
  await waitFor('answers again', async () => (await exec(cluster, 'result = 2')).json.result === 2);

  for (const [index, id] of accepted.entries()) {
    const job = await waitFor(`the outcome of job ${index}`, async () => {
      const answer = await call(cluster, `/api/v1/jobs/${id}`, undefined, { key: DEVELOPER_KEY });
      return answer.json.state === 'finished' && answer.json;
    });
    expect(job.outcome).toMatchObject({ status: 'succeeded', value: index });
  }

  // Two outages: the one they were started in, and the one later.
  for (const { log } of [...cluster.apis, ...cluster.workers]) {
    await waitFor('the last connection to be back', () => log().split('Redis is back after').length === 3);
    const lines = log().trim().split('\n').map((line) => JSON.parse(line) as { level: string; msg: string; awayMs?: number; event?: string }); // prettier-ignore
    // Alerts tell of it afterwards, in lines of their own.
    const about = lines
      .filter(({ msg, event }) => event !== 'alert' && /redis|queue|breaker|heartbeat|housekeeping not/i.test(msg))
      .map(({ msg }) => msg.replace(/[:\d].*/, ''));
    expect(about).toEqual(['cannot reach Redis', 'Redis is back after ', 'cannot reach Redis', 'Redis is back after ']);
    const up = lines.findIndex(({ msg }) => msg === 'worker node is up');
    const back = lines.findIndex(({ awayMs }) => awayMs !== undefined);
    expect({ up, isUpBefore: up >= 0 && up < back }).toEqual({ up, isUpBefore: false });
    expect(lines.filter(({ level }) => level === 'error' || level === 'fatal')).toEqual([]);
  }
}, 90_000);
