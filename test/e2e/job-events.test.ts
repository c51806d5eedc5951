import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Redis } from 'ioredis';
import { KeyRing, sealOutput, type OutputMessage } from '@python3-cluster/shared';
import { call } from '../support/call';
import { EventReader, type EventReaderOptions } from '../support/event-reader';
import { GatedJobs } from '../support/gated-jobs';
import { jobsOf } from '../support/jobs';
import { linesWith } from '../support/log-lines';
import { useStandardCluster } from '../support/standard-cluster';
import { ADMIN_KEY, DEVELOPER_KEY, SIGNING_KEY } from '../support/test-cluster';

const cluster = useStandardCluster();
let redis: Redis;
let gates: GatedJobs;
const readers: EventReader[] = [];
const listeners: Redis[] = [];
beforeAll(() => {
  redis = new Redis(cluster.redisUrl);
  gates = new GatedJobs(cluster.namespace);
});
afterAll(() => {
  for (const reader of readers) reader.close();
  for (const connection of [redis, ...listeners]) connection.disconnect();
  gates.clean();
});

const { submit, show } = jobsOf(cluster, { key: ADMIN_KEY });
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
    await reader.toItsEnd();
    expect([reader.status, reader.wasCut]).toEqual([200, false]);
    expect(reader.headers).toMatchObject({ 'content-type': 'text/event-stream; charset=utf-8', 'cache-control': 'no-store, no-transform' });
    const record = await show(id);
    expect(reader.text('stdout')).toBe('out é€😀\nhalf: €, bad: \ufffd\n');
    expect(reader.text('stdout')).toBe(record.json.outcome.stdout);
    expect(reader.outcome).toEqual(record.json);
    expect(states(reader).slice(-2)).toEqual(['active 1', 'finished 1']);
    expect(reader.events.at(-1)).toMatchObject({ name: 'outcome', id: `1.${Buffer.byteLength(reader.text('stdout'))}.4.end` });
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
    const own = await submit({ code: 'print("mine")' }, { key: DEVELOPER_KEY });
    for (const key of [DEVELOPER_KEY, ADMIN_KEY]) expect((await read(own, { key }).toItsEnd()).text('stdout')).toBe('mine\n');
  });

  it('believes no output that no worker node signed, and takes none twice', async () => {
    const { job, open } = gated('print("true", flush=True)\ngate()\nprint("more", flush=True)');
    const listener = (listeners[0] = redis.duplicate());
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
    expect(linesWith(cluster.apis[0]?.log() ?? '', 'output that no worker node signed', id)).toHaveLength(1);
  });
});
