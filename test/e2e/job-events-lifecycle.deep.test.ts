import { existsSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Redis } from 'ioredis';
import { ADMIN_KEY, TestCluster } from '../support/test-cluster';
import { call, type Answer } from '../support/call';
import { EventReader, type EventReaderOptions } from '../support/event-reader';
import { GatedJobs } from '../support/gated-jobs';
import { jobsOf } from '../support/jobs';
import { waitFor } from '../support/wait-for';

let cluster: TestCluster;
let redis: Redis;
let gates: GatedJobs;
const readers: EventReader[] = [];
const listeners: Redis[] = [];
beforeAll(async () => {
  cluster = await TestCluster.start({ workers: 2, apis: 2, settings: { PYTHON3_EVENTS_HEARTBEAT_SECONDS: '1', PYTHON3_POOL_MAX: '4' } });
  redis = new Redis(cluster.redisUrl);
  gates = new GatedJobs(cluster.namespace);
});
afterAll(async () => {
  for (const reader of readers) reader.close();
  for (const connection of [redis, ...listeners]) connection.disconnect();
  gates.clean();
  await cluster.stop();
});

const { submit, show } = jobsOf(() => cluster, { key: ADMIN_KEY });
const read = (id: string, options: EventReaderOptions = {}): EventReader => {
  const reader = new EventReader(cluster, id, { key: ADMIN_KEY, ...options });
  readers.push(reader);
  return reader;
};
const finished = async (job: object): Promise<string> => {
  const answer = await call(cluster, '/api/v1/jobs', job, { key: ADMIN_KEY, headers: { prefer: 'wait=30' } });
  expect(answer.status).toBe(200);
  return answer.json.id as string;
};

const gated = (code: string): ReturnType<GatedJobs['make']> => gates.make(code);
const states = (reader: EventReader): string[] => reader.of('state').map(({ data }) => `${data.state as string} ${data.attempt as number}`);

describe('the event stream of a job', () => {
  it('notices that a waiting job starts, without being told by its record', async () => {
    const blockers = Array.from({ length: 8 }, () => gated('gate()'));
    const held = await Promise.all(blockers.map(({ job }) => submit(job)));
    await waitFor('every slot to be held', async () =>
      (await Promise.all(held.map((id) => show(id)))).every(({ json }) => json.state === 'active'),
    );
    const { job, open } = gated('print("runs", flush=True)\ngate()');
    const reader = read(await submit(job));
    await reader.waitFor('its state', () => states(reader)[0] === 'waiting 0');
    // A watch is renewed for as long as it waits.
    await reader.waitFor('some heartbeats', () => reader.comments.length >= 4);
    for (const blocker of blockers) blocker.open();
    await reader.waitFor('its output', () => reader.text('stdout') === 'runs\n');
    expect(states(reader)).toEqual(['waiting 0', 'active 1']);
    open();
    expect((await reader.toItsEnd()).outcome.outcome.status).toBe('succeeded');
  });

  it('ends with the outcome of a job that is cancelled, running or waiting, and of one that expires', async () => {
    const running = await submit(gated('print("begun", flush=True)\ngate()').job);
    const reader = read(running, { replica: 1 });
    await reader.waitFor('its output', () => reader.text('stdout') === 'begun\n');
    await call(cluster, `/api/v1/jobs/${running}`, undefined, { method: 'DELETE', key: ADMIN_KEY });
    expect((await reader.toItsEnd()).outcome.outcome).toMatchObject({ status: 'cancelled', stdout: 'begun\n' });

    const idle = await TestCluster.start({ workers: 1, settings: { PYTHON3_NAMESPACE: `${cluster.namespace}-idle` } });
    try {
      const [worker] = idle.workers.splice(0, 1);
      worker?.process.kill('SIGSTOP');
      const post = (job: object): Promise<Answer> => call(idle, '/api/v1/jobs', job);
      const [cancelled, expired] = [await post({ code: '1' }), await post({ code: '1', expiresInMs: 100 })];
      const waiting = [cancelled, expired].map((answer) => new EventReader(idle, answer.json.id as string));
      readers.push(...waiting);
      for (const each of waiting) await each.waitFor('its state', () => states(each)[0] === 'waiting 0');
      await call(idle, `/api/v1/jobs/${cancelled.json.id}`, undefined, { method: 'DELETE' });
      await waiting[0]?.waitFor('the request', () => waiting[0]?.of('state').at(-1)?.data.cancelRequestedAt !== null);
      await worker?.stop('SIGKILL');
      idle.startWorker();
      const outcomes = await Promise.all(waiting.map(async (each) => (await each.toItsEnd()).outcome.outcome.status as string));
      expect(outcomes).toEqual(['cancelled', 'expired']);
    } finally {
      await idle.stop();
    }
  });

  it('of a job that is retried shows every attempt, to its last words, and the pause between them', async () => {
    const mark = join(cluster.notes, 'retried');
    const { job, open } = gated(`
if os.path.exists('${mark}'):
    print('second')
else:
    sys.stdout.write('first\\n')
    sys.stdout.flush()
    gate()
    with open('${mark}', 'w'): pass
    print('last words')
    raise ValueError('once')`);
    const id = await submit({ ...job, attempts: 2, retryOn: ['failed'], backoffMs: 6_000 });
    const reader = read(id);
    await reader.waitFor('the first attempt', () => reader.text('stdout') === 'first\n');
    open();
    await reader.toItsEnd();
    expect([reader.text('stdout', 1), reader.text('stdout', 2)]).toEqual(['first\nlast words\n', 'second\n']);
    const seen = states(reader).filter((state) => state !== 'waiting 0');
    expect(seen.slice(-3)).toEqual(['delayed 1', 'active 2', 'finished 2']);
    expect(reader.outcome.outcome).toMatchObject({ status: 'succeeded', stdout: 'second\n' });
  });

  it('says so when the record is gone, and ends', async () => {
    const { job, open } = gated('gate()');
    const id = await submit(job);
    const reader = read(id);
    await reader.waitFor('its state', () => states(reader).includes('active 1'));
    await redis.del(`${cluster.namespace}:{default}:job:${id}`);
    await reader.toItsEnd();
    expect(reader.events.at(-1)).toMatchObject({ name: 'gone', data: { error: { code: 'JOB_NOT_FOUND' } } });
    open();
  });

  it('costs a job that nobody watches nothing, and leaves nothing in Redis of one that is watched', async () => {
    const listener = (listeners[0] = redis.duplicate());
    let messages = 0;
    listener.on('pmessage', () => (messages += 1));
    await listener.psubscribe(`${cluster.namespace}:output:*`, `${cluster.namespace}:watch:*`, `${cluster.namespace}:{default}:watch`);
    const code = 'for n in range(1000): print(n)';
    await Promise.all(Array.from({ length: 10 }, () => finished({ code })));
    expect(messages).toBe(0);
    const id = await submit({ code: `import time\n${code}\ntime.sleep(0.3)` });
    await read(id).toItsEnd();
    expect(messages).toBeGreaterThan(0);
    // Of the job its record is left, when the queue has forgotten it, and nothing that would be there for watching.
    const keysOf = (pattern: string): Promise<string[]> => redis.keys(`${cluster.namespace}:*${pattern}*`);
    await waitFor('its record alone', async () => (await keysOf(id)).join() === `${cluster.namespace}:{default}:job:${id}`);
    expect([...(await keysOf('watch')), ...(await keysOf('output'))]).toEqual([]);
  });

  it('a replica that stops ends its streams at once, and they go on at another', async () => {
    const { job, open } = gated('print("before", flush=True)\ngate()\nprint("after")');
    const id = await submit(job);
    const third = await cluster.startApi();
    const replica = cluster.ports.length - 1;
    const reader = read(id, { replica });
    await reader.waitFor('its output', () => reader.text('stdout') === 'before\n');
    const stopped = third.stop();
    await reader.toItsEnd(5_000);
    expect([reader.hasEnded, reader.comments.at(-1)]).toEqual([true, 'this replica is shutting down; connect again with Last-Event-ID']);
    expect(await stopped).toBe(0);
    cluster.apis.splice(cluster.apis.indexOf(third), 1);
    const next = read(id, { lastEventId: reader.lastId });
    open();
    await next.toItsEnd();
    expect(next.text('stdout', 1, 7)).toBe('after\n');
  });

  it('a node killed under the job: the attempt that follows begins anew, and the stream says so', async () => {
    const pair = await TestCluster.start({ workers: 2 });
    const mark = join(pair.notes, 'second');
    try {
      const code = `
import os, time
os.umask(0)  # the second node runs jobs as another user
again = os.path.exists('${mark}')
open('${mark}', 'a').close()
print('second' if again else 'first', flush=True)
time.sleep(0.5 if again else 60)
print('done')`;
      const { json } = await call(pair, '/api/v1/jobs', { code, mode: 'admin' }, { key: ADMIN_KEY });
      const reader = new EventReader(pair, json.id as string, { key: ADMIN_KEY });
      readers.push(reader);
      await reader.waitFor('the first attempt', () => reader.text('stdout', 1) === 'first\n');
      const worker = reader.of('state').at(-1)?.data.worker as string;
      const victim = pair.workers.findIndex((each) => each.log().includes(worker));
      await pair.workers.splice(victim, 1)[0]?.stop('SIGKILL');
      await reader.toItsEnd();
      expect([reader.text('stdout', 1), reader.text('stdout', 2)]).toEqual(['first\n', 'second\ndone\n']);
      expect(states(reader).filter((state) => !state.startsWith('waiting'))).toEqual(['active 1', 'active 2', 'finished 2']);
      expect(reader.outcome.outcome.stdout).toBe('second\ndone\n');
      const sweeper = pair.startWorker();
      await waitFor('the sweep', () => sweeper.log().includes('worker node is up'));
    } finally {
      await pair.stop();
      if (existsSync(mark)) rmSync(mark);
    }
  }, 90_000);
});
