import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Redis } from 'ioredis';
import { call, exec, legacy, type Answer } from '../support/call';
import { TcpProxy } from '../support/tcp-proxy';
import { TestCluster } from '../support/test-cluster';
import { waitFor } from '../support/wait-for';

const job = (body: object): Promise<Answer> => call(cluster, '/api/v1/jobs', body);
const codes = (answers: readonly Answer[]): string[] => answers.map(({ status, json }) => (status === 202 ? 'accepted' : json.error.code));
const finished = (id: string): Promise<Answer['json']> =>
  waitFor(`the outcome of ${id}`, async () => {
    const { json } = await call(cluster, `/api/v1/jobs/${id}`);
    return json.state === 'finished' && json.outcome;
  });
const health = async (): Promise<Answer['json']> => (await call(cluster, '/health', undefined, { key: null })).json;

let cluster: TestCluster;

describe('a full queue', () => {
  let redis: Redis;
  beforeAll(async () => {
    cluster = await TestCluster.start({
      settings: { PYTHON3_QUEUE_MAX_JOBS: '10', PYTHON3_QUEUE_MAX_BYTES: '1000000', PYTHON3_POOL_MAX: '3' },
    });
    redis = new Redis(cluster.redisUrl);
  });
  afterAll(async () => {
    redis.disconnect();
    await cluster.stop();
  });

  /** While the worker node takes nothing, but still counts as alive. */
  const whileNobodyWorks = async <T>(action: () => Promise<T>): Promise<T> => {
    const queue = `${cluster.namespace}:{default}:queue`;
    const isIdle = async (): Promise<boolean> => (await redis.zcard(`${queue}:prioritized`)) + (await redis.llen(`${queue}:active`)) === 0;
    await waitFor('an idle cluster', isIdle);
    const [worker] = cluster.workers;
    worker?.process.kill('SIGSTOP');
    try {
      return await action();
    } finally {
      worker?.process.kill('SIGCONT');
    }
  };
  const expectFull = (answer: Answer | undefined, words: RegExp): void => {
    expect([answer?.status, answer?.json.error.code]).toEqual([503, 'QUEUE_FULL']);
    expect(answer?.json.error.message).toMatch(words);
    expect(Number(answer?.headers.get('retry-after'))).toBeGreaterThan(0);
  };
  const expectOutcomes = async (answers: readonly Answer[]): Promise<void> => {
    for (const answer of answers.filter(({ status }) => status === 202))
      expect(await finished(answer.json.id as string)).toMatchObject({ status: 'succeeded', value: 1 });
  };

  it('takes as many jobs as the lane may have, refuses the rest, loses none, and goes on when it has drained', async () => {
    const answers = await whileNobodyWorks(() => Promise.all(Array.from({ length: 30 }, () => job({ code: 'result = 1' }))));
    // The depth is sampled and counted on: a sample that was under way may miss one or two of a burst.
    const accepted = codes(answers).filter((code) => code === 'accepted').length;
    expect(accepted).toBeGreaterThanOrEqual(10);
    expect(accepted).toBeLessThanOrEqual(12);
    expectFull(
      answers.find(({ status }) => status === 503),
      /'default' has 1[0-2] waiting jobs/,
    );
    await expectOutcomes(answers);
    expect((await legacy(cluster, 'exec', { code: 'result = 2' })).json.result).toBe(2);
  });

  it('refuses on the predecessor’s routes in their envelope', async () => {
    const [answer] = await whileNobodyWorks(async () => {
      await waitFor('a full queue', async () => (await job({ code: 'result = 1' })).status === 503);
      return [await legacy(cluster, 'exec', { code: 'result = 1' })];
    });
    expect(answer?.json).toMatchObject({ success: false, code: 'QUEUE_FULL' });
    expect(Number(answer?.headers.get('retry-after'))).toBeGreaterThan(0);
  });

  it('takes as many bytes as all lanes may have, and gives them back', async () => {
    await waitFor('accepted again', async () => (await job({ code: 'result = 1' })).status === 202);
    const large = { code: 'result = 1', variables: { text: 'x'.repeat(300_000) } };
    const [answers, small] = await whileNobodyWorks(async () => [
      [await job(large), await job(large), await job(large), await job(large), await job(large)],
      await job({ code: 'result = 1' }),
    ]);
    expect(codes(answers)).toEqual(['accepted', 'accepted', 'accepted', 'QUEUE_FULL', 'QUEUE_FULL']);
    expectFull(answers.at(-1), /1000000 bytes/);
    expect(small.status).toBe(202);
    await expectOutcomes([...answers, small]);
    const again = await waitFor('room again', async () => {
      const answer = await job(large);
      return answer.status === 202 && answer;
    });
    await expectOutcomes([again]);
    await waitFor(
      'the counter to be empty',
      async () => Number((await redis.get(`${cluster.namespace}:{default}:queued-bytes`)) ?? 0) === 0,
    );
  });

  it('a job with expiresInMs that is picked up too late ends expired; one in time runs', async () => {
    const late = await whileNobodyWorks(async () => {
      const answer = await job({ code: 'result = 1', expiresInMs: 200 });
      await waitFor('its time to be over', () => Date.now() > answer.json.createdAt + 200);
      return answer;
    });
    expect(late.status).toBe(202);
    expect(await finished(late.json.id as string)).toMatchObject({ status: 'expired', error: { type: 'Expired' } });
    await expectOutcomes([await job({ code: 'result = 1', expiresInMs: 60_000 })]);
  });
});

describe('the breaker', () => {
  let proxy: TcpProxy;
  beforeAll(async () => {
    cluster = await TestCluster.start({ apis: 0, workers: 0 });
    proxy = await TcpProxy.start(Number(new URL(cluster.redisUrl).port));
    await cluster.startApi({ REDIS_URL: proxy.redisUrl, PYTHON3_LOG_LEVEL: 'debug' });
    cluster.startWorker();
    await cluster.waitForWorkers(1);
  });
  afterAll(async () => {
    await cluster.stop();
    await proxy.stop();
  });

  it('opens while Redis does not answer, then sends it nothing at all, and closes by itself', async () => {
    expect((await exec(cluster, 'result = 1')).json.result).toBe(1);
    const accepted = await job({ code: 'result = 1' });
    await finished(accepted.json.id as string);
    expect((await health()).breaker).toBe('closed');

    proxy.cut('frozen');
    const first = await Promise.all(Array.from({ length: 5 }, () => job({ code: 'result = 1' })));
    for (const answer of first) expect(answer.json.error.code).toMatch(/^QUEUE_(UNCERTAIN|UNAVAILABLE)$/);
    const sentWhileOpen = async (): Promise<number | undefined> => {
      await waitFor('the breaker not to be open', async () => (await health()).breaker !== 'open');
      await waitFor('the breaker to open', async () => (await health()).breaker === 'open');
      const [before, startedAt] = [proxy.sentBytes, Date.now()];
      const answers = await Promise.all([
        ...Array.from({ length: 20 }, () => job({ code: 'result = 1' })),
        ...Array.from({ length: 20 }, () => exec(cluster, 'result = 1')),
        ...Array.from({ length: 20 }, () => call(cluster, `/api/v1/jobs/${accepted.json.id as string}`)),
      ]);
      const sent = proxy.sentBytes - before;
      // longer than the shortest pause: the write test may have come between
      if (Date.now() - startedAt > 700) return undefined;
      for (const answer of answers) {
        expect([answer.status, answer.json.code ?? answer.json.error.code]).toEqual([503, 'QUEUE_UNAVAILABLE']);
        expect(Number(answer.headers.get('retry-after'))).toBeGreaterThan(0);
      }
      return sent;
    };
    expect(await waitFor('a measurement', sentWhileOpen, 60_000)).toBe(0);
    expect((await call(cluster, '/health/ready', undefined, { key: null })).status).toBe(503);
    expect((await call(cluster, '/health/live', undefined, { key: null })).status).toBe(200);

    proxy.heal();
    await waitFor('the breaker to close, with nobody asking', async () => (await health()).breaker === 'closed', 10_000);
    await waitFor('answers again', async () => (await exec(cluster, 'result = 3')).json.result === 3, 5_000);
    const log = cluster.apis[0]?.log() ?? '';
    for (const state of ['open', 'half-open', 'closed']) expect(log).toContain(`"breaker":"${state}"`);
  }, 120_000);
});
