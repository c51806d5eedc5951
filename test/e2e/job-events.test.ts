import { closeSync, existsSync, openSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Redis } from 'ioredis';
import { KeyRing, sealOutput, type OutputMessage } from '@python3-cluster/shared';
import { ADMIN_KEY, DEVELOPER_KEY, SIGNING_KEY, TestCluster } from '../support/test-cluster';
import { call, type Answer } from '../support/call';
import { EventReader, type EventReaderOptions } from '../support/event-reader';
import { waitFor } from '../support/wait-for';

let cluster: TestCluster;
let redis: Redis;
const readers: EventReader[] = [];
beforeAll(async () => {
  cluster = await TestCluster.start({ workers: 2, apis: 2, settings: { PYTHON3_EVENTS_HEARTBEAT_SECONDS: '1', PYTHON3_POOL_MAX: '4' } });
  redis = new Redis(cluster.redisUrl);
});
afterAll(async () => {
  for (const reader of readers) reader.close();
  redis.disconnect();
  for (const name of readdirSync(tmpdir())) if (name.startsWith(cluster.namespace)) rmSync(join(tmpdir(), name));
  await cluster.stop();
});

const submit = async (job: object, key = ADMIN_KEY): Promise<string> => {
  const answer = await call(cluster, '/api/v1/jobs', job, { key });
  expect(answer.status).toBe(202);
  return answer.json.id as string;
};
const read = (id: string, options: EventReaderOptions = {}): EventReader => {
  const reader = new EventReader(cluster, id, { key: ADMIN_KEY, ...options });
  readers.push(reader);
  return reader;
};
const show = (id: string): Promise<Answer> => call(cluster, `/api/v1/jobs/${id}`, undefined, { key: ADMIN_KEY });
const finished = async (job: object): Promise<string> => {
  const answer = await call(cluster, '/api/v1/jobs', job, { key: ADMIN_KEY, headers: { prefer: 'wait=30' } });
  expect(answer.status).toBe(200);
  return answer.json.id as string;
};

let gates = 0;
/** ADMIN code whose `gate()` returns when the test opens it: what is seen before that was seen while the job ran. */
function gated(code: string): { job: object; open: () => void } {
  const path = join(tmpdir(), `${cluster.namespace}-gate-${(gates += 1)}`);
  const prelude = `
import os, sys, time
def gate():
    while not os.path.exists('${path}'):
        time.sleep(0.01)
`;
  return { job: { code: prelude + code, mode: 'admin' }, open: () => closeSync(openSync(path, 'w')) };
}
const states = (reader: EventReader): string[] => reader.of('state').map(({ data }) => `${data.state as string} ${data.attempt as number}`);

describe('GET /api/v1/jobs/{id}/events', () => {
  it('tells what a job prints while it runs, then the outcome as the record has it, and ends', async () => {
    const { job, open } = gated(`
print('out é€😀', flush=True)
print('err', file=sys.stderr, flush=True)
os.write(1, b'half: \\xe2')
gate()
os.write(1, b'\\x82\\xac, bad: \\xff\\n')
result = 42`);
    const id = await submit(job);
    const reader = read(id);
    await reader.waitFor(
      'all but the half character',
      () => reader.text('stdout') === 'out é€😀\nhalf: ' && reader.text('stderr') === 'err\n',
    );
    expect(reader.outcome).toBeUndefined();
    expect((await show(id)).json.state).toBe('active');
    open();
    const openedAt = performance.now();
    await reader.toItsEnd();
    expect([reader.status, reader.wasCut]).toEqual([200, false]);
    expect(reader.headers).toMatchObject({ 'content-type': 'text/event-stream; charset=utf-8', 'cache-control': 'no-store, no-transform' });
    const record = await show(id);
    expect(reader.text('stdout')).toBe('out é€😀\nhalf: €, bad: \ufffd\n');
    expect(reader.text('stdout')).toBe(record.json.outcome.stdout);
    expect(reader.outcome).toEqual(record.json);
    expect(states(reader).slice(-2)).toEqual(['active 1', 'finished 1']);
    expect(reader.events.at(-1)).toMatchObject({ name: 'outcome', id: `1.${Buffer.byteLength(reader.text('stdout'))}.4.end` });
    // The node says that it has ended: nobody waits for the next look into the record.
    expect((reader.times.at(-1) ?? 0) - openedAt).toBeLessThan(800);
  });

  it('notices that a waiting job starts, without being told by its record', async () => {
    const blockers = Array.from({ length: 8 }, () => gated('gate()'));
    const held = await Promise.all(blockers.map(({ job }) => submit(job)));
    await waitFor('every slot to be held', async () => (await Promise.all(held.map(show))).every(({ json }) => json.state === 'active'));
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

  it('gives late joiners everything from the start, on any replica, while the job runs', async () => {
    const { job, open } = gated(`
for n in range(20_000):
    print(n, 'é' * (n % 7))
    if n % 10 == 0: print('e', n, file=sys.stderr)
sys.stdout.flush()
gate()`);
    const id = await submit(job);
    const first = read(id);
    await first.waitFor('the last line', () => first.text('stdout').includes('19999 '));
    const late = [read(id, { replica: 1 }), read(id, { replica: 1 }), read(id)];
    for (const reader of late) {
      await reader.waitFor('all that was printed', () => reader.text('stdout') === first.text('stdout'));
      expect(reader.outcome).toBeUndefined();
    }
    open();
    for (const reader of [first, ...late]) {
      const { outcome } = (await reader.toItsEnd()).outcome;
      expect([reader.text('stdout'), reader.text('stderr')]).toEqual([outcome.stdout, outcome.stderr]);
      expect(outcome.truncated).toBe(false);
    }
  });

  it('of a job that has ended: everything at once', async () => {
    const id = await finished({ code: 'for n in range(50_000): print(n, "é")\nresult = [1.0, 9007199254740993]' });
    const reader = await read(id, { replica: 1 }).toItsEnd();
    expect(states(reader)).toEqual(['finished 1']);
    expect(reader.text('stdout')).toBe(reader.outcome.outcome.stdout);
    expect(reader.text('stdout').length).toBeGreaterThan(300_000);
  });

  it('goes on from Last-Event-ID without loss or repetition, on either replica, again and again', async () => {
    const { job, open } = gated(`
for n in range(60):
    print(n, '€' * 50, flush=True)
    print('e', n, file=sys.stderr, flush=True)
    time.sleep(0.02)
gate()`);
    const id = await submit(job);
    let lastEventId: string | undefined;
    const [text, errors] = [[] as string[], [] as string[]];
    const at = (name: 'stdout' | 'stderr'): number => Number(lastEventId?.split('.')[name === 'stdout' ? 1 : 2] ?? 0);
    const collect = (reader: EventReader): void => {
      text.push(reader.text('stdout', 1, at('stdout')));
      errors.push(reader.text('stderr', 1, at('stderr')));
      lastEventId = reader.lastId;
    };
    for (let round = 0; round < 8; round += 1) {
      const reader = read(id, { replica: round % 2, lastEventId });
      const isLast = round === 7;
      if (isLast) open();
      await (isLast ? reader.toItsEnd() : reader.waitFor('a few more', () => reader.of('stdout').length + reader.of('stderr').length >= 6));
      reader.close();
      collect(reader);
    }
    const { outcome } = (await show(id)).json;
    expect([text.join(''), errors.join('')]).toEqual([outcome.stdout, outcome.stderr]);
    expect(text.filter((part) => part !== '').length).toBeGreaterThan(3);
    // In the middle of what a job that has ended had printed, too; and after its outcome there is nothing more to come.
    const rest = await read(id, { lastEventId: '1.152.0', replica: 1 }).toItsEnd();
    expect(rest.text('stdout', 1, 152)).toBe(
      Buffer.from(outcome.stdout as string)
        .subarray(152)
        .toString(),
    );
    expect(rest.text('stderr')).toBe(outcome.stderr);
    const after = await read(id, { lastEventId }).toItsEnd();
    expect([lastEventId?.endsWith('.end'), after.status, after.events]).toEqual([true, 204, []]);
  });

  it.each(['x', '1', '1.2', '1.2.3.4', '-1.0.0', '1.2.3.end.end', '1e3.0.0', '99999999999.0.0', 'é'])(
    'refuses the Last-Event-ID %s',
    async (lastEventId) => {
      const id = await finished({ code: 'print(1)' });
      const answer = await call(cluster, `/api/v1/jobs/${id}/events`, undefined, {
        key: ADMIN_KEY,
        headers: { 'last-event-id': Buffer.from(lastEventId).toString('latin1') },
      });
      expect([answer.status, answer.json.error.code]).toEqual([400, 'LAST_EVENT_ID_INVALID']);
    },
  );

  it('is for the owner and for admins; to others the job does not exist, and nothing is sent before that is known', async () => {
    const { job, open } = gated('print("secret", flush=True)\ngate()');
    const id = await submit(job);
    const foreign = await call(cluster, `/api/v1/jobs/${id}/events`, undefined, { key: DEVELOPER_KEY });
    expect([foreign.status, foreign.json.error.code]).toEqual([404, 'JOB_NOT_FOUND']);
    const anonymous = await call(cluster, `/api/v1/jobs/${id}/events`, undefined, { key: null });
    expect([anonymous.status, anonymous.json.error.code]).toEqual([401, 'AUTH_REQUIRED']);
    for (const unknown of ['default.00000000000000000000000000', 'nonsense']) {
      expect((await call(cluster, `/api/v1/jobs/${unknown}/events`, undefined, { key: ADMIN_KEY })).status).toBe(404);
    }
    const queried = await call(cluster, `/api/v1/jobs/${id}/events?from=0`, undefined, { key: ADMIN_KEY });
    expect(queried.json.error.code).toBe('REQUEST_UNKNOWN_FIELD');
    const posted = await call(cluster, `/api/v1/jobs/${id}/events`, {}, { key: ADMIN_KEY });
    expect([posted.status, posted.headers.get('allow')]).toEqual([405, 'GET, HEAD']);
    const head = await call(cluster, `/api/v1/jobs/${id}/events`, undefined, { key: ADMIN_KEY, method: 'HEAD' });
    expect([head.status, head.headers.get('content-type'), head.text]).toEqual([200, 'text/event-stream; charset=utf-8', '']);
    open();
    const own = await submit({ code: 'print("mine")' }, DEVELOPER_KEY);
    for (const key of [DEVELOPER_KEY, ADMIN_KEY]) expect((await read(own, { key }).toItsEnd()).text('stdout')).toBe('mine\n');
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
    const listener = redis.duplicate();
    let messages = 0;
    listener.on('pmessage', () => (messages += 1));
    await listener.psubscribe(`${cluster.namespace}:output:*`, `${cluster.namespace}:watch:*`, `${cluster.namespace}:{default}:watch`);
    const code = 'for n in range(1000): print(n)';
    await Promise.all(Array.from({ length: 10 }, () => finished({ code })));
    expect(messages).toBe(0);
    const keysBefore = new Set(await redis.keys(`${cluster.namespace}:*`));
    const id = await submit({ code: `import time\n${code}\ntime.sleep(0.3)` });
    await read(id).toItsEnd();
    expect(messages).toBeGreaterThan(0);
    const kinds = (await redis.keys(`${cluster.namespace}:*`)).filter((key) => !keysBefore.has(key)).map((key) => key.replace(id, 'ID'));
    expect(kinds.filter((key) => !/:(job:ID|probe:.*)$/.test(key))).toEqual([]);
    listener.disconnect();
  });

  it('believes no output that no worker node signed, and takes none twice', async () => {
    const { job, open } = gated('print("true", flush=True)\ngate()\nprint("more", flush=True)');
    const listener = redis.duplicate();
    const heard: Buffer[] = [];
    listener.on('pmessageBuffer', (_pattern: string, _channel: Buffer, message: Buffer) => void heard.push(message));
    await listener.psubscribe(`${cluster.namespace}:output:*`);
    const id = await submit(job);
    const reader = read(id);
    await reader.waitFor('its output', () => reader.text('stdout') === 'true\n');
    const piece = (text: string, offset = 5): OutputMessage['stdout'] => ({ offset, bytes: Buffer.from(text), truncated: false });
    const message = (jobId: string): OutputMessage =>
      ({ jobId, worker: 'node', attempt: 1, ended: false, stdout: piece('forged'), stderr: piece('forged', 0) }); // prettier-ignore
    const [ring, other] = [new KeyRing(SIGNING_KEY), new KeyRing('x'.repeat(40))];
    const forged = [
      Buffer.from('forged'),
      Buffer.alloc(0),
      sealOutput(other, message(id)),
      sealOutput(ring, message('default.00000000000000000000000000')),
      sealOutput(ring, message(id)).map((byte, index, all) => (index === all.length - 1 ? byte ^ 1 : byte)),
    ];
    const channels = (await redis.pubsub('CHANNELS', `${cluster.namespace}:output:*`)) as string[];
    expect(channels).toHaveLength(2);
    for (const channel of channels) {
      for (const content of forged) await redis.publish(channel, Buffer.concat([Buffer.from(`${id}\n`), content]));
      // And what was said already, once more.
      for (const said of heard.slice()) await redis.publish(channel, said);
    }
    open();
    await reader.toItsEnd();
    expect([reader.text('stdout'), reader.text('stderr')]).toEqual(['true\nmore\n', '']);
    expect(cluster.apis[0]?.log().match(/output that no worker node signed/g)).toHaveLength(1);
    listener.disconnect();
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
    const mark = join(tmpdir(), `${cluster.namespace}-second`);
    try {
      const code = `
import os, time
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
